//! The table of operations.

/// Declares a domain's operations. A row reads: name, input, output, HTTP method and path, who may, what else.
///
/// ```text
/// operations! {
///     queries OrderQueries {
///         /// Finds one order.
///         order(id: OrderId): GetOrder => Option<Order>, GET "/orders/{id}", Access::storefront_or(Scope::OrdersRead);
///     }
///     mutations OrderMutations {
///         /// Cancels an order.
///         cancel_order: CancelOrder => Order, POST "/orders/{id}/cancel", Access::scope(Scope::OrdersWrite), [Keyed];
///     }
/// }
/// ```
///
/// A query's row declares its input struct too; it implements [`Query`](crate::operation::Query). Where the object may be absent
/// the row says `Option`: REST answers 404, GraphQL null beside the error. A mutation's input is a
/// struct of the domain ([`input!`](crate::input)) and implements [`Mutation`](crate::operation::Mutation), in the section
/// `flows` [`Flow`](crate::operation::Flow). The table expands to the two GraphQL objects and `register`.
#[macro_export]
macro_rules! operations {
    (
        $(queries $queries:ident { $(
            $(#[doc = $qdoc:literal])+
            $qfield:ident ( $( $(#[serde($($serde:tt)+)])? $arg:ident : $argty:ty ),* $(,)? ) : $qop:ident => $qout:ty,
            $qverb:ident $qpath:literal, $qaccess:expr $(, [$($qtrait:ident),+])? ;
        )* })?
        $(mutations $mutations:ident { $(
            $(#[doc = $mdoc:literal])+
            $mfield:ident : $mop:ident => $mout:ty,
            $mverb:ident $mpath:literal, $maccess:expr $(, [$($mtrait:ident),+])? ;
        )* })?
        $(flows $flows:ident { $(
            $(#[doc = $fdoc:literal])+
            $ffield:ident : $fop:ident => $fout:ty,
            $fverb:ident $fpath:literal, $faccess:expr $(, [$($ftrait:ident),+])? ;
        )* })?
    ) => {
        $(
            #[derive(Default)]
            #[allow(missing_docs)]
            pub struct $queries;

            #[async_graphql::Object]
            impl $queries { $(
                $(#[doc = $qdoc])+
                #[allow(clippy::too_many_arguments)]
                async fn $qfield(&self, ctx: &async_graphql::Context<'_>, $($arg: $argty),*)
                    -> <$qout as $crate::operation::Root>::Field
                {
                    let cx = ctx.data_unchecked::<$crate::context::Cx>();
                    let answer = $crate::operation::dispatch(cx, $qop { $($arg),* }).await;
                    let answer = answer.map(|a| a.value).map_err(|e| $crate::operation::graphql_error(cx, e));
                    <$qout as $crate::operation::Root>::field(answer)
                }
            )* }

            $(
                $(#[doc = $qdoc])+
                #[derive(Clone, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
                #[serde(rename_all = "camelCase", deny_unknown_fields)]
                #[allow(missing_docs)]
                pub struct $qop { $( $(#[serde($($serde)+)])? pub $arg: $argty ),* }

                impl $crate::operation::Operation for $qop {
                    type Output = <$qout as $crate::operation::Root>::Output;
                    const META: $crate::operation::Meta = $crate::operations!(@meta
                        $qfield $qop Query $qverb $qpath, $qaccess, [$($($qtrait),+)?], concat!($($qdoc, "\n"),+));
                    async fn execute(self, cx: $crate::context::Cx)
                        -> $crate::kernel::Result<$crate::operation::Answer<Self::Output>>
                    {
                        cx.read(move |tx| $crate::operation::Query::run(&self, tx)).await
                            .map($crate::operation::Answer::fresh)
                    }
                }
            )*
        )?
        $(
            #[derive(Default)]
            #[allow(missing_docs)]
            pub struct $mutations;

            #[async_graphql::Object]
            impl $mutations { $(
                $(#[doc = $mdoc])+
                async fn $mfield(&self, ctx: &async_graphql::Context<'_>, input: $mop, idempotency_key: Option<String>)
                    -> async_graphql::Result<$mout>
                {
                    let cx = $crate::operation::with_key(ctx, idempotency_key);
                    let answer = $crate::operation::dispatch(&cx, input).await;
                    answer.map(|a| a.value).map_err(|e| $crate::operation::graphql_error(&cx, e))
                }
            )* }

            $(
                impl $crate::operation::Operation for $mop {
                    type Output = $mout;
                    const META: $crate::operation::Meta = $crate::operations!(@meta
                        $mfield $mop Mutation $mverb $mpath, $maccess, [$($($mtrait),+)?], concat!($($mdoc, "\n"),+));
                    async fn execute(self, cx: $crate::context::Cx)
                        -> $crate::kernel::Result<$crate::operation::Answer<Self::Output>>
                    {
                        cx.settle(move |tx| $crate::operation::Mutation::run(&self, tx)).await
                    }
                }
            )*
        )?
        $(
            #[derive(Default)]
            #[allow(missing_docs)]
            pub struct $flows;

            #[async_graphql::Object]
            impl $flows { $(
                $(#[doc = $fdoc])+
                async fn $ffield(&self, ctx: &async_graphql::Context<'_>, input: $fop, idempotency_key: Option<String>)
                    -> async_graphql::Result<$fout>
                {
                    let cx = $crate::operation::with_key(ctx, idempotency_key);
                    let answer = $crate::operation::dispatch(&cx, input).await;
                    answer.map(|a| a.value).map_err(|e| $crate::operation::graphql_error(&cx, e))
                }
            )* }

            $(
                impl $crate::operation::Operation for $fop {
                    type Output = $fout;
                    const META: $crate::operation::Meta = $crate::operations!(@meta
                        $ffield $fop Flow $fverb $fpath, $faccess, [$($($ftrait),+)?], concat!($($fdoc, "\n"),+));
                    async fn execute(self, cx: $crate::context::Cx)
                        -> $crate::kernel::Result<$crate::operation::Answer<Self::Output>>
                    {
                        $crate::operation::Flow::run(self, &cx).await
                    }
                }
            )*
        )?

        /// Adds this domain's operations to a door's registry.
        pub fn register<D: $crate::operation::Door>(registry: &mut $crate::operation::Registry<D>) {
            $($( registry.add::<$qop>(); )*)?
            $($( registry.add::<$mop>(); )*)?
            $($( registry.add::<$fop>(); )*)?
        }
    };
    (@meta $field:ident $op:ident $mode:ident $verb:ident $path:literal, $access:expr, [$($trait:ident),*], $doc:expr) => {
        $crate::operation::Meta {
            field: stringify!($field),
            name: stringify!($op),
            mode: $crate::operation::Mode::$mode,
            verb: $crate::operation::Verb::$verb,
            path: $path,
            access: $access,
            traits: &[$($crate::operation::Trait::$trait),*],
            doc: $doc,
        }
    };
}

/// Declares the input of a mutation, or a part of one: unknown fields are refused at either door. Its name in GraphQL ends
/// in `Input`.
#[macro_export]
macro_rules! input {
    ($( $(#[$meta:meta])* $name:ident { $( $(#[$fmeta:meta])* $field:ident : $ty:ty ),* $(,)? } )+) => { $(
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema, async_graphql::InputObject)]
        $(#[$meta])*
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[graphql(name_type)]
        pub struct $name { $( $(#[$fmeta])* pub $field: $ty ),* }

        impl async_graphql::TypeName for $name {
            fn type_name() -> std::borrow::Cow<'static, str> { concat!(stringify!($name), "Input").into() }
        }
    )+ };
}

/// Declares an object that comes back, or a part of one.
#[macro_export]
macro_rules! output {
    ($( $(#[$meta:meta])* $name:ident { $( $(#[$fmeta:meta])* $field:ident : $ty:ty ),* $(,)? } )+) => { $(
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema, async_graphql::SimpleObject)]
        $(#[$meta])*
        #[serde(rename_all = "camelCase")]
        pub struct $name { $( $(#[$fmeta])* pub $field: $ty ),* }
    )+ };
}
