//! Fields that lead from one domain's object to another's, each through a [`super::loader`].

use async_graphql::Request;

/// Gives a request its loaders.
pub fn with_loaders(request: Request) -> Request {
    request
}
