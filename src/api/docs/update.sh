#!/bin/sh
# Rebuilds the GraphiQL files beside this script from npm packages of exactly these versions.
# Needs npm, node and gzip. `graphiql.html` and `graphiql.start.js` are written by hand and stay.
#
# GraphiQL 3 is the last line with one finished script and CodeMirror: 4 and later use Monaco, whose
# workers and fonts are files of their own. React 18 is the last with finished scripts.
set -eu

GRAPHIQL=3.9.0
REACT=18.3.1

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# npm checks each package against the hash in the registry.
echo '{"private":true}' > package.json
install() {
    npm install --silent --ignore-scripts --no-audit --no-fund --legacy-peer-deps "$@"
}
install "graphiql@$GRAPHIQL" "react@$REACT" "react-dom@$REACT" graphql@16

# Without the address of a source map that is not here.
pack() {
    sed '/^\/\/# sourceMappingURL=/d' "$1" | gzip -9n > "$here/$2.gz"
}
pack node_modules/graphiql/graphiql.min.js graphiql.min.js
pack node_modules/react/umd/react.production.min.js react.production.min.js
pack node_modules/react-dom/umd/react-dom.production.min.js react-dom.production.min.js

# Without the embedded fonts (Roboto, Fira Code): nine tenths of the style sheet, and licences of
# their own. The browser takes its own sans-serif and monospace.
node -e '
    const css = require("fs").readFileSync("node_modules/graphiql/graphiql.min.css", "utf8");
    process.stdout.write(css.replace(/@font-face\s*\{[^}]*\}/g, ""));
' > graphiql.min.css
pack graphiql.min.css graphiql.min.css

# The packages inside the scripts, as the source map names them. Some are no longer dependencies of
# today's versions and are fetched for their licences only.
cat > names.js <<'JS'
const fs = require("fs");
const map = JSON.parse(fs.readFileSync("node_modules/graphiql/graphiql.min.js.map", "utf8"));
const siblings = { "graphiql-react": "@graphiql/react", "graphiql-toolkit": "@graphiql/toolkit" };
const names = new Set(["graphiql", "react", "react-dom", "scheduler"]);
for (const source of map.sources) {
  const module = source.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/);
  const sibling = source.match(/^\.\.\/\.\.\/([^/]+)\//);
  if (module) names.add(module[1]);
  else if (sibling) names.add(siblings[sibling[1]] ?? sibling[1]);
}
console.log([...names].sort().join("\n"));
JS
cat > licences.js <<'JS'
const fs = require("fs");
const { join } = require("path");
const texts = new Map();
for (const name of process.argv.slice(2)) {
  const folder = join("node_modules", name);
  const about = JSON.parse(fs.readFileSync(join(folder, "package.json"), "utf8"));
  if (!/^(MIT|BSD-2-Clause|0BSD)$/.test(about.license)) {
    throw new Error(`${name} has the license ${about.license}: look at it first`);
  }
  const file = fs.readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const source = about.repository?.url ?? about.repository;
  const text = file
    ? fs.readFileSync(join(folder, file), "utf8").replace(/\r/g, "").trim()
    : `Published under the ${about.license} license without a text. Source: ${source}`;
  texts.set(text, [...(texts.get(text) ?? []), `${name} (${about.license})`]);
}
const line = "=".repeat(80);
console.log("The GraphiQL files of this folder contain the following packages.\n");
for (const [text, packages] of texts) {
  console.log(`${line}\n${packages.join("\n")}\n${line}\n\n${text}\n`);
}
JS
node names.js > names
for name in $(cat names); do
    [ -d "node_modules/$name" ] || install "$name"
done
# shellcheck disable=SC2046 # no name holds a space
node licences.js $(cat names) > "$here/LICENSES.txt"
ls -l "$here"
