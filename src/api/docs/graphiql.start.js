// Starts GraphiQL. A file of its own, so that the page holds no script and its content security
// policy needs no exception for one.
"use strict";

const welcome = `# Ask the shop.
#
# Ctrl-Space completes, Ctrl-Enter runs,
# the book on the left is the schema.
#
# To ask as somebody, write below in Headers:
# { "Authorization": "Bearer mrc_sk_..." }
# They are forgotten with the page.

query Hello {
  __typename
}
`;

// GraphiQL writes the headers of each request into its history even when it is told not to keep
// headers. A key must not stay in the storage of the browser.
const storage = GraphiQL.createLocalStorage({ namespace: "mercer" });
const { setItem } = storage;
storage.setItem = (key, value) => {
  const isHistory = /:(queries|favorites)$/.test(key);
  const without = (name, field) => (name === "headers" ? undefined : field);
  setItem(key, isHistory ? JSON.stringify(JSON.parse(value), without) : value);
};

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: "/graphql" }),
    storage,
    defaultQuery: welcome,
    defaultEditorToolsVisibility: "headers",
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
    inputValueDeprecation: true,
    schemaDescription: true,
  }),
);
