//! Weighs a GraphQL document before it is validated or executed, and refuses what costs too much.
//!
//! [`check_text`] comes before parsing, because the parser calls itself at every bracket and would
//! run out of stack; [`check`] comes before validation. Both only read, and both take time in
//! proportion to the text: a fragment is weighed once however often it is spread, so less than 800
//! bytes of fragments that double each other into four million fields are refused in microseconds.
//! The limits of the library stay on behind this as a second fence; alone they do not help, because
//! they expand every fragment while they count.
//!
//! What is counted:
//! * **Depth**: fields inside fields; fragments add nothing. What stands below `__schema` and
//!   `__type` has limits of its own, because the standard introspection query is deeper than any
//!   question about a shop.
//! * **Complexity**: the fields the answer may hold. A field counts 1 and multiplies what is inside
//!   it: by its argument `first`, `last` or `limit`, literal or variable; without one, by
//!   [`Limits::page`] if it holds `nodes` or `edges`, by [`Limits::list`] if the schema says that
//!   it is a list (see [`Limits::with_lists_of`]), and else by 1.
//! * **Values**: what the arguments hold, multiplied likewise, variables counted at every use.
//! * **Nodes**: fields, fragments, directives and variable definitions after every fragment is
//!   expanded, over all operations, because those that are not executed are validated all the same.
//!
//! What must hold: no way of writing a query makes it count less than it costs. `@skip` and
//! `@include` are ignored, fragments on different types add up, an argument counts under every name
//! that may mean a page size, and numbers stop at their maximum instead of wrapping.
//!
//! What it does not do: it knows no types. Unknown fields, arguments, fragments and variables are
//! left to the validation of the library, which therefore must be strict. A page size inside an
//! input object is not seen.

use std::collections::{HashMap, HashSet};
use std::fmt;

use async_graphql::parser::types::{
    BaseType, Directive, DocumentOperations, ExecutableDocument, Field, FieldDefinition,
    FragmentDefinition, FragmentSpread, InlineFragment, OperationDefinition, Selection,
    SelectionSet, TypeKind, TypeSystemDefinition,
};
use async_graphql::parser::{self, parse_schema};
use async_graphql::{Name, Positioned, Value as ConstValue, Variables};
use async_graphql_value::Value;

/// Arguments that say how many items a field returns.
const PAGE_ARGUMENTS: [&str; 3] = ["first", "last", "limit"];

/// Fields that hold the items of a page; the field around them is multiplied.
const PAGE_ITEMS: [&str; 2] = ["nodes", "edges"];

/// The lists of the introspection schema that lead from types to types, and so can go in circles.
const TYPE_LISTS: [&str; 5] = [
    "types",
    "fields",
    "inputFields",
    "interfaces",
    "possibleTypes",
];

/// What one request may ask for. Introspection is off by default.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of query text. The parser needs up to a microsecond for each.
    pub text: usize,
    /// Brackets inside one another in the text; selection sets inside one another in the document,
    /// fragments expanded; lists and objects inside one another in an argument. It bounds the
    /// stack: at 32 the parser needs 330 KiB without optimisation, 110 KiB with.
    pub nesting: usize,
    /// Fields inside one another.
    pub depth: usize,
    /// Fields in the answer, lists multiplied. Large enough for a page of 100 products with their
    /// variants and prices, too small for products of categories of products at 20 each.
    pub complexity: usize,
    /// Values in arguments, lists multiplied.
    pub values: usize,
    /// Fields at the root of the operation, aliases and fragments included.
    pub root_fields: usize,
    /// Fields, fragments, directives and variable definitions, fragments expanded.
    pub nodes: usize,
    /// Directives at one place.
    pub directives: usize,
    /// Items expected of a field with `nodes` or `edges` that does not say how many: what the API
    /// returns then.
    pub page: usize,
    /// Items expected of a list without pages.
    pub list: usize,
    /// Names of the fields that are lists, in any type.
    pub lists: HashSet<String>,
    /// Bounds for `__schema` and `__type`; nothing if they are refused.
    pub introspection: Option<IntrospectionLimits>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text: 16 * 1024,
            nesting: 32,
            depth: 10,
            complexity: 10_000,
            values: 50_000,
            root_fields: 50,
            nodes: 2_000,
            directives: 5,
            page: 20,
            list: 10,
            lists: HashSet::new(),
            introspection: None,
        }
    }
}

impl Limits {
    /// Takes from the schema, in its definition language, which fields are lists. Without them a
    /// list that takes no page size counts as one object, and `variants { product { variants … } }`
    /// looks cheap. A name that is a list in one type counts as a list in all.
    pub fn with_lists_of(mut self, sdl: &str) -> Result<Self, parser::Error> {
        for definition in parse_schema(sdl)?.definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let fields = fields.into_iter().map(|field| field.node);
            let lists = fields
                .filter(is_list)
                .map(|field| field.name.node.to_string());
            self.lists
                .extend(lists.filter(|name| !PAGE_ITEMS.contains(&name.as_str())));
        }
        Ok(self)
    }

    /// Lets clients ask for the schema.
    #[must_use]
    pub fn with_introspection(mut self) -> Self {
        self.introspection = Some(IntrospectionLimits::default());
        self
    }
}

fn is_list(field: &FieldDefinition) -> bool {
    matches!(field.ty.node.base, BaseType::List(_))
}

/// What one request may ask of the schema itself. The standard introspection query of `graphql-js`
/// with every option needs a depth of 15, 41 lists, a width of 10 and 240 nodes; what is accepted
/// beyond that costs a few times as much as that query.
#[derive(Debug, Clone)]
pub struct IntrospectionLimits {
    /// Fields inside one another, `__schema` and `__type` included.
    pub depth: usize,
    /// Lists of types or of their members, each of which counts ten times what is inside it:
    /// `types { fields }` is 11. Each further level multiplies by the size of the schema.
    pub lists: usize,
    /// Fields in one selection set, fragments expanded. No type of the introspection schema has as
    /// many; more are aliases.
    pub width: usize,
    /// Nodes, fragments expanded.
    pub nodes: usize,
}

impl Default for IntrospectionLimits {
    fn default() -> Self {
        Self {
            depth: 15,
            lists: 60,
            width: 16,
            nodes: 400,
        }
    }
}

const TOO_LONG: &str = "QUERY_TOO_LONG";
const TOO_DEEP: &str = "QUERY_TOO_DEEP";
const TOO_COMPLEX: &str = "QUERY_TOO_COMPLEX";
const TOO_MANY_ROOT_FIELDS: &str = "TOO_MANY_ROOT_FIELDS";
const TOO_MANY_DIRECTIVES: &str = "TOO_MANY_DIRECTIVES";
const FRAGMENT_CYCLE: &str = "FRAGMENT_CYCLE";
const INTROSPECTION_DISABLED: &str = "INTROSPECTION_DISABLED";

/// Why a document is not executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs: `QUERY_TOO_LONG`, `QUERY_TOO_DEEP`, `QUERY_TOO_COMPLEX`,
    /// `TOO_MANY_ROOT_FIELDS`, `TOO_MANY_DIRECTIVES`, `FRAGMENT_CYCLE` or `INTROSPECTION_DISABLED`.
    pub code: &'static str,
    /// For people: what was measured, and the limit.
    pub message: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// Checks the text before it is parsed: its length, and that the stack suffices for parsing it.
pub fn check_text(text: &str, limits: &Limits) -> Result<(), Refusal> {
    at_most(limits.text, text.len(), TOO_LONG, "bytes of query text")?;
    at_most(
        limits.nesting,
        nesting(text),
        TOO_DEEP,
        "brackets inside one another",
    )
}

/// Checks a parsed document before it is validated or executed. `operation_name` is the operation
/// that the client wants; complexity, depth, root fields and introspection are its own, the rest is
/// counted over the whole document.
pub fn check(
    document: &ExecutableDocument,
    operation_name: Option<&str>,
    variables: &Variables,
    limits: &Limits,
) -> Result<(), Refusal> {
    Scales::new(document, operation_name, variables, limits).check(document)
}

/// The deepest nesting of brackets outside strings and comments. Where a string does not end, the
/// parser may read on in another way, so every bracket that follows counts as open.
fn nesting(text: &str) -> usize {
    let mut rest = text.as_bytes();
    let (mut open, mut deepest) = (0_usize, 0_usize);
    while let [first, tail @ ..] = rest {
        rest = match first {
            b'"' => match after_string(tail) {
                Some(rest) => rest,
                None => return deepest.max(open + tail.iter().filter(|&&c| is_open(c)).count()),
            },
            b'#' => after_comment(tail),
            _ => {
                if is_open(*first) {
                    open += 1;
                    deepest = deepest.max(open);
                } else if matches!(first, b'}' | b']' | b')') {
                    open = open.saturating_sub(1);
                }
                tail
            }
        };
    }
    deepest
}

const fn is_open(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'(')
}

/// What follows a string whose first quotation mark is already taken.
fn after_string(string: &[u8]) -> Option<&[u8]> {
    match string {
        [b'"', b'"', block @ ..] => after_block_string(block),
        [b'"', rest @ ..] => Some(rest),
        _ => after_line_string(string),
    }
}

fn after_line_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
            [] => return None,
        };
    }
}

fn after_block_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', b'"', b'"', rest @ ..] => return Some(rest),
            [b'\\', b'"', b'"', b'"', rest @ ..] | [_, rest @ ..] => rest,
            [] => return None,
        };
    }
}

fn after_comment(mut rest: &[u8]) -> &[u8] {
    while let [first, tail @ ..] = rest {
        if matches!(first, b'\n' | b'\r') {
            break;
        }
        rest = tail;
    }
    rest
}

fn at_most(limit: usize, found: usize, code: &'static str, what: &str) -> Result<(), Refusal> {
    if found <= limit {
        return Ok(());
    }
    Err(Refusal::new(
        code,
        format!("{found} {what}, at most {limit} are accepted"),
    ))
}

/// What a selection set costs, wherever it stands.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    /// Selection sets inside one another, fragments expanded.
    height: usize,
    /// Fields inside one another, introspection aside.
    depth: usize,
    /// Fields of the set itself, fragments expanded.
    fields: usize,
    complexity: usize,
    values: usize,
    nodes: usize,
    /// Whether the set holds the items of a page.
    paged: bool,
    /// Lists of [`TYPE_LISTS`], and the most fields in one selection set; of interest only below
    /// `__schema` and `__type`.
    type_lists: usize,
    width: usize,
    introspection: Introspection,
}

/// What stands at and below `__schema` and `__type`. A depth of 0: there is none.
#[derive(Debug, Clone, Copy, Default)]
struct Introspection {
    depth: usize,
    type_lists: usize,
    width: usize,
    nodes: usize,
}

impl Weight {
    /// Both in the same selection set.
    fn beside(self, other: Self) -> Self {
        Self {
            height: self.height.max(other.height),
            depth: self.depth.max(other.depth),
            fields: self.fields.saturating_add(other.fields),
            complexity: self.complexity.saturating_add(other.complexity),
            values: self.values.saturating_add(other.values),
            nodes: self.nodes.saturating_add(other.nodes),
            paged: self.paged || other.paged,
            type_lists: self.type_lists.saturating_add(other.type_lists),
            width: self.width.max(other.width),
            introspection: self.introspection.beside(other.introspection),
        }
    }

    /// This selection set below a field that returns `times` objects.
    fn below(self, field: &Field, times: usize) -> Self {
        let name = field.name.node.as_str();
        let type_lists = if TYPE_LISTS.contains(&name) {
            self.type_lists.saturating_mul(10).saturating_add(1)
        } else {
            self.type_lists
        };
        Self {
            depth: self.depth.saturating_add(1),
            fields: 1,
            complexity: self.complexity.saturating_mul(times).saturating_add(1),
            values: self.values.saturating_mul(times),
            nodes: self.nodes.saturating_add(1),
            paged: PAGE_ITEMS.contains(&name),
            type_lists,
            width: self.width.max(self.fields),
            introspection: self.introspection.below(),
            ..self
        }
    }

    /// This selection set below `__schema` or `__type`: it counts as introspection and, but for its
    /// nodes and values, as nothing else.
    fn introspected(self) -> Self {
        let here = Introspection {
            depth: self.depth,
            type_lists: self.type_lists,
            width: self.width.max(self.fields),
            nodes: self.nodes,
        };
        let nodes = self.nodes.saturating_add(1);
        let introspection = here.beside(self.introspection);
        Self {
            fields: 1,
            complexity: 1,
            values: self.values,
            nodes,
            height: self.height,
            introspection: Introspection {
                depth: introspection.depth.saturating_add(1),
                nodes,
                ..introspection
            },
            ..Self::default()
        }
    }

    fn with_nodes(self, nodes: usize) -> Self {
        Self {
            nodes: self.nodes.saturating_add(nodes),
            ..self
        }
    }

    fn with_values(self, values: usize) -> Self {
        Self {
            values: self.values.saturating_add(values),
            ..self
        }
    }
}

impl Introspection {
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            type_lists: self.type_lists.saturating_add(other.type_lists),
            width: self.width.max(other.width),
            nodes: self.nodes.saturating_add(other.nodes),
        }
    }

    fn accept(&self, limits: &IntrospectionLimits) -> Result<(), Refusal> {
        let depth = "introspection fields inside one another";
        let lists = "introspection lists with nesting multiplied";
        let width = "introspection fields beside one another";
        let nodes = "introspection nodes with fragments expanded";
        at_most(limits.depth, self.depth, TOO_DEEP, depth)?;
        at_most(limits.lists, self.type_lists, TOO_COMPLEX, lists)?;
        at_most(limits.width, self.width, TOO_COMPLEX, width)?;
        at_most(limits.nodes, self.nodes, TOO_COMPLEX, nodes)
    }

    fn below(self) -> Self {
        let deeper = usize::from(self.depth > 0);
        Self {
            depth: self.depth.saturating_add(deeper),
            ..self
        }
    }
}

/// A fragment while it is weighed, and after.
#[derive(Clone, Copy)]
enum Fragment {
    Open,
    Weighed(Weight),
}

/// The value of each variable: what the client sent, else the default.
fn resolve<'a>(
    operation: Option<&'a OperationDefinition>,
    sent: &'a Variables,
) -> HashMap<&'a str, &'a ConstValue> {
    let definitions = operation
        .into_iter()
        .flat_map(|operation| &operation.variable_definitions);
    let defaults = definitions.filter_map(|definition| {
        let default = definition.node.default_value.as_ref()?;
        Some((definition.node.name.node.as_str(), &default.node))
    });
    defaults
        .chain(sent.iter().map(|(name, value)| (name.as_str(), value)))
        .collect()
}

/// Weighs one document.
struct Scales<'a> {
    limits: &'a Limits,
    definitions: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// The operation to be executed; nothing if the library will refuse to choose one.
    chosen: Option<&'a OperationDefinition>,
    fragments: HashMap<&'a str, Fragment>,
    /// What the variables of the chosen operation hold.
    variables: HashMap<&'a str, &'a ConstValue>,
    /// How many values that is, once counted.
    sizes: HashMap<&'a str, usize>,
    /// Selections, directives and values looked at: the work done, for the tests.
    visited: usize,
}

impl<'a> Scales<'a> {
    fn new(
        document: &'a ExecutableDocument,
        operation_name: Option<&str>,
        variables: &'a Variables,
        limits: &'a Limits,
    ) -> Self {
        let chosen = match (&document.operations, operation_name) {
            (DocumentOperations::Single(operation), _) => Some(operation),
            (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
            (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => {
                operations.values().next()
            }
            _ => None,
        };
        let chosen = chosen.map(|operation| &operation.node);
        Self {
            limits,
            definitions: &document.fragments,
            chosen,
            variables: resolve(chosen, variables),
            fragments: HashMap::new(),
            sizes: HashMap::new(),
            visited: 0,
        }
    }

    fn check(&mut self, document: &'a ExecutableDocument) -> Result<(), Refusal> {
        let mut nodes = 0_usize;
        let mut executed = None;
        for (_, operation) in document.operations.iter() {
            let weight = self.operation(&operation.node)?;
            nodes = nodes.saturating_add(weight.nodes);
            if self
                .chosen
                .is_some_and(|chosen| std::ptr::eq(chosen, &raw const operation.node))
            {
                executed = Some(weight);
            }
        }
        // A fragment that nothing spreads is validated too.
        for name in document.fragments.keys() {
            self.fragment(name, 0)?;
        }
        at_most(
            self.limits.nodes,
            nodes,
            TOO_COMPLEX,
            "nodes with fragments expanded",
        )?;
        executed.map_or(Ok(()), |weight| self.accept(&weight))
    }

    fn accept(&self, weight: &Weight) -> Result<(), Refusal> {
        let limits = self.limits;
        let values = "argument values with lists multiplied";
        at_most(
            limits.root_fields,
            weight.fields,
            TOO_MANY_ROOT_FIELDS,
            "root fields",
        )?;
        at_most(
            limits.depth,
            weight.depth,
            TOO_DEEP,
            "fields inside one another",
        )?;
        at_most(
            limits.complexity,
            weight.complexity,
            TOO_COMPLEX,
            "fields with lists multiplied",
        )?;
        at_most(limits.values, weight.values, TOO_COMPLEX, values)?;
        match &limits.introspection {
            _ if weight.introspection.depth == 0 => Ok(()),
            Some(limits) => weight.introspection.accept(limits),
            None => Err(Refusal::new(
                INTROSPECTION_DISABLED,
                "introspection is switched off",
            )),
        }
    }

    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Weight, Refusal> {
        let mut values = self.directives(&operation.directives)?;
        let mut nodes = operation.directives.len();
        for definition in &operation.variable_definitions {
            let directives = &definition.node.directives;
            values = values.saturating_add(self.directives(directives)?);
            nodes = nodes.saturating_add(directives.len()).saturating_add(1);
        }
        let weight = self.selection_set(&operation.selection_set.node, 0)?;
        Ok(weight.with_nodes(nodes).with_values(values))
    }

    /// `level` is the number of selection sets around this one.
    fn selection_set(&mut self, set: &'a SelectionSet, level: usize) -> Result<Weight, Refusal> {
        self.has_room(level, 1)?;
        let mut weight = Weight::default();
        for selection in &set.items {
            self.visited += 1;
            weight = weight.beside(match &selection.node {
                Selection::Field(field) => self.field(&field.node, level)?,
                Selection::FragmentSpread(spread) => self.spread(&spread.node, level)?,
                Selection::InlineFragment(inline) => self.inline(&inline.node, level)?,
            });
        }
        weight.height += 1;
        Ok(weight)
    }

    fn field(&mut self, field: &'a Field, level: usize) -> Result<Weight, Refusal> {
        let own = self.directives(&field.directives)?;
        let own = own.saturating_add(self.arguments(&field.arguments)?);
        let inside = if field.selection_set.node.items.is_empty() {
            Weight::default()
        } else {
            self.selection_set(&field.selection_set.node, level + 1)?
        };
        let weight = match field.name.node.as_str() {
            "__schema" | "__type" => inside.introspected(),
            name => inside.below(field, self.items(name, field, inside.paged)),
        };
        Ok(weight.with_nodes(field.directives.len()).with_values(own))
    }

    fn spread(&mut self, spread: &'a FragmentSpread, level: usize) -> Result<Weight, Refusal> {
        let values = self.directives(&spread.directives)?;
        let weight = self.fragment(&spread.fragment_name.node, level + 1)?;
        Ok(weight
            .with_nodes(1 + spread.directives.len())
            .with_values(values))
    }

    fn inline(&mut self, inline: &'a InlineFragment, level: usize) -> Result<Weight, Refusal> {
        let values = self.directives(&inline.directives)?;
        let weight = self.selection_set(&inline.selection_set.node, level + 1)?;
        Ok(weight
            .with_nodes(1 + inline.directives.len())
            .with_values(values))
    }

    fn fragment(&mut self, name: &'a Name, level: usize) -> Result<Weight, Refusal> {
        match self.fragments.get(name.as_str()) {
            Some(Fragment::Weighed(weight)) => {
                self.has_room(level, weight.height)?;
                return Ok(*weight);
            }
            Some(Fragment::Open) => {
                let message = format!("the fragment `{name}` spreads itself");
                return Err(Refusal::new(FRAGMENT_CYCLE, message));
            }
            None => {}
        }
        let Some(definition) = self.definitions.get(name.as_str()) else {
            return Ok(Weight::default());
        };
        self.fragments.insert(name.as_str(), Fragment::Open);
        let definition = &definition.node;
        let values = self.directives(&definition.directives)?;
        let weight = self.selection_set(&definition.selection_set.node, level)?;
        let weight = weight
            .with_nodes(definition.directives.len())
            .with_values(values);
        self.fragments
            .insert(name.as_str(), Fragment::Weighed(weight));
        Ok(weight)
    }

    /// Refuses selection sets, or values, that go deeper than this walk may call itself.
    fn has_room(&self, level: usize, height: usize) -> Result<(), Refusal> {
        let found = level.saturating_add(height);
        at_most(self.limits.nesting, found, TOO_DEEP, "levels of nesting")
    }

    /// The values in the arguments of the directives.
    fn directives(&mut self, directives: &'a [Positioned<Directive>]) -> Result<usize, Refusal> {
        let limit = self.limits.directives;
        at_most(
            limit,
            directives.len(),
            TOO_MANY_DIRECTIVES,
            "directives at one place",
        )?;
        let mut values = 0_usize;
        for directive in directives {
            self.visited += 1;
            values = values.saturating_add(self.arguments(&directive.node.arguments)?);
        }
        Ok(values)
    }

    fn arguments(
        &mut self,
        arguments: &'a [(Positioned<Name>, Positioned<Value>)],
    ) -> Result<usize, Refusal> {
        let mut values = 0_usize;
        for (_, value) in arguments {
            values = values.saturating_add(self.value(&value.node, 0)?);
        }
        Ok(values)
    }

    fn value(&mut self, value: &'a Value, level: usize) -> Result<usize, Refusal> {
        self.has_room(level, 1)?;
        self.visited += 1;
        let mut values = 1_usize;
        match value {
            Value::Variable(name) => return self.variable(name),
            Value::List(items) => {
                for item in items {
                    values = values.saturating_add(self.value(item, level + 1)?);
                }
            }
            Value::Object(fields) => {
                for field in fields.values() {
                    values = values.saturating_add(self.value(field, level + 1)?);
                }
            }
            _ => {}
        }
        Ok(values)
    }

    fn variable(&mut self, name: &'a Name) -> Result<usize, Refusal> {
        if let Some(size) = self.sizes.get(name.as_str()) {
            return Ok(*size);
        }
        let size = match self.variables.get(name.as_str()) {
            Some(value) => self.constant(value, 0)?,
            None => 1,
        };
        self.sizes.insert(name.as_str(), size);
        Ok(size)
    }

    fn constant(&mut self, value: &'a ConstValue, level: usize) -> Result<usize, Refusal> {
        self.has_room(level, 1)?;
        self.visited += 1;
        let mut values = 1_usize;
        match value {
            ConstValue::List(items) => {
                for item in items {
                    values = values.saturating_add(self.constant(item, level + 1)?);
                }
            }
            ConstValue::Object(fields) => {
                for field in fields.values() {
                    values = values.saturating_add(self.constant(field, level + 1)?);
                }
            }
            _ => {}
        }
        Ok(values)
    }

    /// How many objects a field may return.
    fn items(&self, name: &str, field: &'a Field, paged: bool) -> usize {
        let asked = field
            .arguments
            .iter()
            .filter(|(name, _)| PAGE_ARGUMENTS.contains(&name.node.as_str()))
            .filter_map(|(_, value)| self.number(&value.node))
            .max();
        match asked {
            Some(number) => number.max(1),
            None if paged => self.limits.page,
            None if self.limits.lists.contains(name) => self.limits.list,
            None => 1,
        }
    }

    fn number(&self, value: &Value) -> Option<usize> {
        let number = match value {
            Value::Number(number) => number,
            Value::Variable(name) => match self.variables.get(name.as_str())? {
                ConstValue::Number(number) => number,
                _ => return None,
            },
            _ => return None,
        };
        Some(usize::try_from(number.as_u64()?).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ops::Range;

    use async_graphql::parser::parse_query;

    use super::*;

    /// Checks text and document, and counts what was looked at.
    fn weigh(text: &str, limits: &Limits) -> (Result<(), Refusal>, usize) {
        weigh_with(text, None, &Variables::default(), limits)
    }

    fn weigh_with(
        text: &str,
        operation_name: Option<&str>,
        variables: &Variables,
        limits: &Limits,
    ) -> (Result<(), Refusal>, usize) {
        if let Err(refusal) = check_text(text, limits) {
            return (Err(refusal), 0);
        }
        let document = parse_query(text).unwrap();
        let mut scales = Scales::new(&document, operation_name, variables, limits);
        (scales.check(&document), scales.visited)
    }

    #[track_caller]
    fn accepts(text: &str, limits: &Limits) {
        assert_eq!(weigh(text, limits).0, Ok(()));
    }

    /// Refused with this code and message, after at most one look at each byte: no accepted text
    /// has more than 16,384 of them, and a look takes nanoseconds.
    #[track_caller]
    fn refuses(text: &str, limits: &Limits, code: &str, message: &str) {
        let (result, visited) = weigh(text, limits);
        let refusal = result.unwrap_err();
        assert_eq!((refusal.code, refusal.message.as_str()), (code, message));
        assert!(
            visited <= text.len(),
            "{visited} looks at {} bytes",
            text.len()
        );
    }

    fn variables(json: &[(&str, ConstValue)]) -> Variables {
        let fields = json
            .iter()
            .map(|(name, value)| (Name::new(name), value.clone()));
        Variables::from_value(ConstValue::Object(fields.collect()))
    }

    /// `{ a { a { … } } }` with this many fields inside one another.
    fn nested(depth: usize) -> String {
        format!("{}{}", "{ a ".repeat(depth), "}".repeat(depth))
    }

    /// `count` fragments, each of which spreads the next one twice: two to the power of `count`
    /// fields.
    fn doubling(count: usize) -> String {
        let fragments = repeat(0..count, |i| {
            format!(
                "fragment f{i} on Q{{{spread}{spread}}}",
                spread = format_args!("...f{} ", i + 1)
            )
        });
        format!("query{{...f0}}{fragments}fragment f{count} on Q{{a}}")
    }

    /// A chain of fragments, each of which spreads the next.
    fn chain(count: usize) -> String {
        let fragments = repeat(0..count, |i| format!("fragment f{i} on Q{{...f{}}}", i + 1));
        format!("{{...f0}}{fragments}fragment f{count} on Q{{a}}")
    }

    /// The part for each of these numbers, one after the other.
    fn repeat(numbers: Range<usize>, part: impl Fn(usize) -> String) -> String {
        numbers.map(part).collect()
    }

    const SHOP: &str = "
        type Query { products(first: Int): ProductConnection! tags: [String!]! }
        type ProductConnection { nodes: [Product!]! edges: [ProductEdge!]! }
        type ProductEdge { node: Product! }
        type Product { id: ID! variants: [Variant!]! categories: [Category!] }
        interface Category { children: [Category] }
        type Variant { product: Product! }";

    fn shop() -> Limits {
        Limits::default().with_lists_of(SHOP).unwrap()
    }

    #[test]
    fn a_text_over_16_kib_is_refused_before_it_is_parsed() {
        let limits = Limits::default();
        assert_eq!(check_text(&" ".repeat(16_384), &limits), Ok(()));
        let refusal = check_text(&"{".repeat(16_385), &limits).unwrap_err();
        assert_eq!(refusal.code, "QUERY_TOO_LONG");
        assert_eq!(
            refusal.message,
            "16385 bytes of query text, at most 16384 are accepted"
        );
    }

    #[test]
    fn brackets_too_deep_for_the_parser_are_refused_before_it_starts() {
        let limits = Limits::default();
        for (opening, deep) in [("{a", 8_192), ("{a(b:[", 8_190), ("{a(b:{b:", 6_144)] {
            let text = opening.repeat(16_384 / opening.len());
            let refusal = check_text(&text, &limits).unwrap_err();
            assert_eq!(refusal.code, "QUERY_TOO_DEEP");
            let message = format!("{deep} brackets inside one another, at most 32 are accepted");
            assert_eq!(refusal.message, message);
        }
        for text in [
            "{a(b:[[[[",
            "query($a:[[[[",
            "{a@b(c:[[[[",
            "mutation{a(b:{c:[",
        ] {
            assert_eq!(check_text(text, &limits), Ok(()));
            let refusal = check_text(&(text.to_owned() + &"[".repeat(40)), &limits).unwrap_err();
            assert_eq!(refusal.code, "QUERY_TOO_DEEP");
        }
    }

    #[test]
    fn the_parser_reads_the_deepest_text_accepted_on_a_small_stack() {
        let limits = Limits::default();
        let opening = ["{a", "(b:[", "(b:{b:"].map(|unit| {
            let inside = "[".repeat(limits.nesting.saturating_sub(2));
            [unit.repeat(limits.nesting / 3), format!("{{a(b:{inside}")]
        });
        let texts: Vec<String> = opening.into_iter().flatten().chain([nested(32)]).collect();
        let read = std::thread::Builder::new()
            .stack_size(512 * 1024)
            .spawn(move || {
                for text in texts {
                    assert_eq!(check_text(&text, &limits), Ok(()));
                    let _ = parse_query(&text);
                }
            });
        read.unwrap().join().unwrap();
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let brackets = "{[(".repeat(20);
        for text in [
            format!("{{ a(b: \"{brackets}\") }}"),
            format!("{{ a(b: \"\\\"{brackets}\\\\\") }}"),
            format!("{{ a(b: \"\"\"{brackets}\n\"{brackets}\"\" \\\"\"\"{brackets}\"\"\") }}"),
            format!("{{ a # \"{brackets}\n }}"),
            format!("{{ a # \"{brackets}\r b(c: \"\", d: \"#\") }}"),
        ] {
            accepts(&text, &Limits::default());
        }
    }

    #[test]
    fn a_string_or_comment_hides_no_brackets_that_the_parser_sees() {
        let brackets = "[".repeat(40);
        for text in [
            // The parser reads an empty string, a string, and then lists.
            format!("{{a(b:[\"\"\"c\"{brackets}"),
            format!("{{a(b:[\"\"\"\\\"\"\"{brackets}"),
            format!("{{a(b:[\"\"{brackets}"),
            format!("{{a(b:[\"\\\\\"{brackets}"),
            format!("{{a(b:[\"\"\"\\\\\"\"\"{brackets}"),
            format!("{{a#\r(b:{brackets}"),
            format!("{{a(b:\"}}}}}}\",c:\"{brackets}"),
        ] {
            let refusal = check_text(&text, &Limits::default()).unwrap_err();
            assert_eq!(refusal.code, "QUERY_TOO_DEEP", "{text}");
        }
    }

    #[test]
    fn pages_of_products_pass_at_their_exact_complexity() {
        let page = "{ products(first: 20) { nodes { id title variants { id sku price { amount
            currency } } } pageInfo { hasNextPage endCursor } } }";
        let large = "{ products(first: 100) { nodes { id title slug price { amount currency }
            variants { id sku } } pageInfo { hasNextPage endCursor } } }";
        for (text, complexity) in [(page, 1_141), (large, 3_101)] {
            let mut limits = shop();
            limits.complexity = complexity;
            accepts(text, &limits);
            limits.complexity = complexity - 1;
            let message = format!(
                "{complexity} fields with lists multiplied, at most {} are accepted",
                complexity - 1
            );
            refuses(text, &limits, "QUERY_TOO_COMPLEX", &message);
            assert!(complexity <= Limits::default().complexity);
        }
    }

    #[test]
    fn pages_inside_pages_multiply() {
        let text = "{ products { nodes { categories { nodes { products { edges { node { id } } } }
            } } } }";
        refuses(
            text,
            &Limits::default(),
            "QUERY_TOO_COMPLEX",
            "24841 fields with lists multiplied, at most 10000 are accepted",
        );
        let small = "{ products(first: 5) { nodes { categories(first: 2) { nodes { products(last:
            3) { edges { node { id } } } } } } } }";
        accepts(small, &Limits::default());
    }

    #[test]
    fn plain_lists_multiply_once_the_schema_names_them() {
        let text = "{ products(first: 100) { nodes { variants { product { variants { product { id
            } } } } } } }";
        accepts(text, &Limits::default());
        refuses(
            text,
            &shop(),
            "QUERY_TOO_COMPLEX",
            "22201 fields with lists multiplied, at most 10000 are accepted",
        );
    }

    #[test]
    fn lists_are_read_from_the_schema_but_not_the_items_of_pages() {
        let mut lists: Vec<String> = shop().lists.into_iter().collect();
        lists.sort();
        assert_eq!(lists, ["categories", "children", "tags", "variants"]);
    }

    #[test]
    fn page_sizes_are_read_from_variables_and_their_defaults() {
        let text = "query($n: Int = 200, $m: Int) { a(first: $n) { b(first: $m) { c } } }";
        let limits = Limits {
            complexity: 1_000,
            ..Limits::default()
        };
        let complexity = |sent: &[(&str, ConstValue)]| {
            let (result, _) = weigh_with(text, None, &variables(sent), &limits);
            result.map_err(|refusal| refusal.message)
        };
        let refused = |n| {
            Err(format!(
                "{n} fields with lists multiplied, at most 1000 are accepted"
            ))
        };
        assert_eq!(complexity(&[]), Ok(()));
        assert_eq!(complexity(&[("m", 10.into())]), refused(2_201));
        assert_eq!(complexity(&[("n", 10.into()), ("m", 10.into())]), Ok(()));
        assert_eq!(complexity(&[("n", 1_000.into())]), refused(2_001));
        assert_eq!(
            complexity(&[("n", ConstValue::Null), ("m", (-5).into())]),
            Ok(())
        );
        let most = usize::MAX;
        assert_eq!(complexity(&[("n", u64::MAX.into())]), refused(most));
    }

    #[test]
    fn the_larger_of_two_page_sizes_counts_and_none_makes_a_field_free() {
        let limits = Limits::default();
        let message = "10001 fields with lists multiplied, at most 10000 are accepted";
        refuses(
            "{ a(first: 1, last: 10000) { b } }",
            &limits,
            "QUERY_TOO_COMPLEX",
            message,
        );
        accepts("{ a(limit: 0) { b(first: 5000) { c } } }", &limits);
        let refusal = weigh("{ a(limit: 0) { b(first: 10000) { c } } }", &limits)
            .0
            .unwrap_err();
        assert_eq!(refusal.code, "QUERY_TOO_COMPLEX");
    }

    #[test]
    fn numbers_stop_at_their_maximum() {
        let page = "a(first: 4294967296) { ".repeat(5);
        let text = format!("{{ {page} b {} }}", "}".repeat(5));
        refuses(
            &text,
            &Limits::default(),
            "QUERY_TOO_COMPLEX",
            &format!(
                "{} fields with lists multiplied, at most 10000 are accepted",
                usize::MAX
            ),
        );
    }

    #[test]
    fn ten_fields_inside_one_another_pass_and_eleven_do_not() {
        let limits = Limits::default();
        accepts(&nested(10), &limits);
        let message = "11 fields inside one another, at most 10 are accepted";
        refuses(&nested(11), &limits, "QUERY_TOO_DEEP", message);
        let fragments = "{ ...f } fragment f on Q { a { a { a { a { a { ...g } } } } } }
            fragment g on Q { ... { a { a { a { a { a { a } } } } } } }";
        refuses(fragments, &limits, "QUERY_TOO_DEEP", message);
    }

    #[test]
    fn fragments_nested_too_deep_for_the_stack_are_refused() {
        let limits = Limits::default();
        accepts(&chain(30), &limits);
        for count in [31, 500] {
            let refusal = weigh(&chain(count), &limits).0.unwrap_err();
            assert_eq!(refusal.code, "QUERY_TOO_DEEP");
            assert!(
                refusal
                    .message
                    .ends_with("levels of nesting, at most 32 are accepted")
            );
        }
    }

    #[test]
    fn fragments_that_double_are_counted_and_not_expanded() {
        let text = doubling(22);
        assert!(text.len() < 800);
        let (result, visited) = weigh(&text, &Limits::default());
        let refusal = result.unwrap_err();
        assert_eq!(refusal.code, "QUERY_TOO_COMPLEX");
        assert_eq!(
            refusal.message,
            "12582911 nodes with fragments expanded, at most 2000 are accepted"
        );
        assert_eq!(visited, 1 + 2 * 22 + 1);
    }

    #[test]
    fn fragments_that_spread_themselves_are_refused_even_if_unused() {
        let limits = Limits::default();
        for text in [
            "{ ...a } fragment a on Q { b ...a }",
            "{ ...a } fragment a on Q { b { ...b } } fragment b on Q { ... on Q { ...a } }",
            "{ a } fragment a on Q { b ...a }",
        ] {
            let (result, visited) = weigh(text, &limits);
            let refusal = result.unwrap_err();
            assert_eq!(refusal.code, "FRAGMENT_CYCLE");
            assert!(refusal.message.ends_with("spreads itself"), "{refusal}");
            assert!(visited < 10);
        }
    }

    #[test]
    fn fifty_root_fields_pass_and_fifty_one_do_not() {
        let limits = Limits::default();
        let aliases = |from, to| repeat(from..to, |i| format!("a{i}:__typename "));
        accepts(&format!("{{ {} }}", aliases(0, 50)), &limits);
        let message = "51 root fields, at most 50 are accepted";
        refuses(
            &format!("{{ {} }}", aliases(0, 51)),
            &limits,
            "TOO_MANY_ROOT_FIELDS",
            message,
        );
        let fragments = format!(
            "{{ ...f ... on Q {{ {} }} }} fragment f on Q {{ {} }}",
            aliases(0, 25),
            aliases(25, 51)
        );
        refuses(&fragments, &limits, "TOO_MANY_ROOT_FIELDS", message);
        let text = format!("{{ {} }}", aliases(0, 1_000));
        let (result, visited) = weigh(&text, &limits);
        assert_eq!(result.unwrap_err().code, "TOO_MANY_ROOT_FIELDS");
        assert_eq!(visited, 1_000);
    }

    #[test]
    fn six_directives_at_one_place_are_refused_wherever_it_is() {
        let limits = Limits::default();
        let six = "@d ".repeat(6);
        let message = "6 directives at one place, at most 5 are accepted";
        accepts("{ a @d @d @d @d @d ... @d @d @d @d @d { b } }", &limits);
        for text in [
            format!("{{ a {six} }}"),
            format!("{{ a {{ b {six} }} }}"),
            format!("{{ ...f {six} }} fragment f on Q {{ a }}"),
            format!("{{ ...f }} fragment f on Q {six} {{ a }}"),
            format!("{{ ... on Q {six} {{ a }} }}"),
            format!("query {six} {{ a }}"),
            format!("query($v: Int {six}) {{ a }}"),
        ] {
            refuses(&text, &limits, "TOO_MANY_DIRECTIVES", message);
        }
        let bomb = format!("{{ a {} }}", "@d".repeat(5_000));
        let (result, visited) = weigh(&bomb, &limits);
        assert_eq!(result.unwrap_err().code, "TOO_MANY_DIRECTIVES");
        assert_eq!(visited, 1);
    }

    #[test]
    fn introspection_is_refused_unless_switched_on_and_typename_never() {
        for text in [
            "{ __schema { queryType { name } } }",
            "{ ...f } fragment f on Query { ... { t: __type(name: \"Q\") { name } } }",
        ] {
            let message = "introspection is switched off";
            refuses(text, &Limits::default(), "INTROSPECTION_DISABLED", message);
            accepts(text, &Limits::default().with_introspection());
        }
        accepts("{ __typename a { __typename } }", &Limits::default());
    }

    /// What `graphql-js` 16.15 asks with every option.
    fn standard_introspection() -> String {
        let type_ref = format!("{}{}", "ofType { name kind ".repeat(9), "}".repeat(9));
        format!(
            "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }}
                mutationType {{ name kind }} subscriptionType {{ name kind }}
                types {{ ...FullType }} directives {{ name description isRepeatable locations
                    args(includeDeprecated: true) {{ ...InputValue }} }} }} }}
            fragment FullType on __Type {{ kind name description specifiedByURL isOneOf
                fields(includeDeprecated: true) {{ name description
                    args(includeDeprecated: true) {{ ...InputValue }} type {{ ...TypeRef }}
                    isDeprecated deprecationReason }}
                inputFields(includeDeprecated: true) {{ ...InputValue }}
                interfaces {{ ...TypeRef }}
                enumValues(includeDeprecated: true) {{ name description isDeprecated
                    deprecationReason }}
                possibleTypes {{ ...TypeRef }} }}
            fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }}
                defaultValue isDeprecated deprecationReason }}
            fragment TypeRef on __Type {{ kind name {type_ref} }}"
        )
    }

    #[test]
    fn the_standard_introspection_query_passes_and_needs_what_is_documented() {
        let text = standard_introspection();
        let exact = IntrospectionLimits {
            depth: 15,
            lists: 41,
            width: 10,
            nodes: 240,
        };
        let with = |introspection: IntrospectionLimits| {
            let limits = Limits {
                introspection: Some(introspection),
                ..shop()
            };
            weigh(&text, &limits).0.map_err(|refusal| refusal.message)
        };
        assert_eq!(with(IntrospectionLimits::default()), Ok(()));
        assert_eq!(with(exact.clone()), Ok(()));
        for (less, message) in [
            (
                IntrospectionLimits {
                    depth: 14,
                    ..exact.clone()
                },
                "15 introspection fields inside one another, at most 14 are accepted",
            ),
            (
                IntrospectionLimits {
                    lists: 40,
                    ..exact.clone()
                },
                "41 introspection lists with nesting multiplied, at most 40 are accepted",
            ),
            (
                IntrospectionLimits {
                    width: 9,
                    ..exact.clone()
                },
                "10 introspection fields beside one another, at most 9 are accepted",
            ),
            (
                IntrospectionLimits {
                    nodes: 239,
                    ..exact
                },
                "240 introspection nodes with fragments expanded, at most 239 are accepted",
            ),
        ] {
            assert_eq!(with(less), Err(message.to_owned()));
        }
    }

    #[test]
    fn introspection_in_circles_or_many_times_is_refused() {
        let limits = Limits::default().with_introspection();
        let code = "QUERY_TOO_COMPLEX";
        let circle = "fields { type { ".repeat(6);
        let close = "} ".repeat(12);
        refuses(
            &format!("{{ __schema {{ types {{ {circle} name {close} }} }} }}"),
            &limits,
            code,
            "1111111 introspection lists with nesting multiplied, at most 60 are accepted",
        );
        let again = repeat(0..50, |i| format!("a{i}: __schema {{ ...f }} "));
        refuses(
            &format!("{{ {again} }} fragment f on __Schema {{ types {{ fields {{ name }} }} }}"),
            &limits,
            code,
            "550 introspection lists with nesting multiplied, at most 60 are accepted",
        );
        let aliases = repeat(0..300, |i| format!("a{i}: name "));
        refuses(
            &format!("{{ __schema {{ types {{ fields {{ {aliases} }} }} }} }}"),
            &limits,
            code,
            "300 introspection fields beside one another, at most 16 are accepted",
        );
        let kinds = "kind ".repeat(16);
        let types = repeat(0..12, |i| format!("q{i}: queryType {{ {kinds} }}"));
        refuses(
            &format!("{{ a: __schema {{ {types} }} b: __schema {{ {types} }} }}"),
            &limits,
            code,
            "410 introspection nodes with fragments expanded, at most 400 are accepted",
        );
    }

    #[test]
    fn values_in_variables_count_at_every_use_and_are_looked_at_once() {
        let items = ConstValue::List((0..1_000).map(ConstValue::from).collect());
        let sent = variables(&[("ids", items)]);
        let limits = Limits::default();
        let uses = |count: usize| -> String {
            let fields = repeat(0..count, |i| format!("a{i}: a(ids: $ids) "));
            format!("query($ids: [Int!]) {{ b {{ {fields} }} }}")
        };
        assert_eq!(weigh_with(&uses(49), None, &sent, &limits).0, Ok(()));
        let (result, visited) = weigh_with(&uses(500), None, &sent, &limits);
        let refusal = result.unwrap_err();
        assert_eq!(refusal.code, "QUERY_TOO_COMPLEX");
        assert_eq!(
            refusal.message,
            "500500 argument values with lists multiplied, at most 50000 are accepted"
        );
        assert_eq!(visited, 1 + 500 + 500 + 1_001);
        let page = "query($ids: [Int!]) { b(first: 100) { a(ids: $ids) } }";
        assert_eq!(
            weigh_with(page, None, &sent, &limits)
                .0
                .unwrap_err()
                .message,
            "100101 argument values with lists multiplied, at most 50000 are accepted"
        );
    }

    #[test]
    fn lists_in_arguments_count_through_fragments() {
        let list = "1 ".repeat(5_000);
        let spreads = repeat(0..11, |i| format!("b{i}: b {{ ...f }} "));
        let text = format!("{{ {spreads} }} fragment f on Q {{ a(ids: [{list}]) }}");
        refuses(
            &text,
            &Limits::default(),
            "QUERY_TOO_COMPLEX",
            "55011 argument values with lists multiplied, at most 50000 are accepted",
        );
    }

    #[test]
    fn variables_nested_too_deep_are_refused() {
        let deep = |levels: usize| {
            (0..levels).fold(ConstValue::Null, |value, _| ConstValue::List(vec![value]))
        };
        let text = "query($v: V) { a(v: $v) }";
        let check = |levels| {
            weigh_with(
                text,
                None,
                &variables(&[("v", deep(levels))]),
                &Limits::default(),
            )
            .0
        };
        assert_eq!(check(31), Ok(()));
        let refusal = check(100).unwrap_err();
        assert_eq!(refusal.code, "QUERY_TOO_DEEP");
        assert_eq!(
            refusal.message,
            "33 levels of nesting, at most 32 are accepted"
        );
    }

    #[test]
    fn operations_that_are_not_executed_count_for_what_validation_costs() {
        let limits = Limits::default();
        let deep = nested(11);
        let text = format!("query small {{ a }} query deep {deep}");
        let none = Variables::default();
        let executing = |name| weigh_with(&text, name, &none, &limits).0;
        assert_eq!(executing(Some("small")), Ok(()));
        assert_eq!(executing(Some("deep")).unwrap_err().code, "QUERY_TOO_DEEP");
        // The library refuses to choose, so nothing is executed.
        assert_eq!(executing(None), Ok(()));
        assert_eq!(executing(Some("other")), Ok(()));

        let bomb = doubling(22).replace("query{", "query bomb{") + "query small { a }";
        let refusal = weigh_with(&bomb, Some("small"), &none, &limits)
            .0
            .unwrap_err();
        assert_eq!(refusal.code, "QUERY_TOO_COMPLEX");

        let fields = "a ".repeat(100);
        let many = repeat(0..60, |i| format!("query q{i}{{...f}}"));
        let many = format!("{many} fragment f on Q {{ b {{ {fields} }} }}");
        let (result, visited) = weigh_with(&many, Some("q1"), &none, &limits);
        assert_eq!(
            result.unwrap_err().message,
            "6120 nodes with fragments expanded, at most 2000 are accepted"
        );
        assert_eq!(visited, 60 + 101);
    }

    #[test]
    fn what_validation_will_refuse_is_left_to_it() {
        accepts("{ ...missing }", &Limits::default());
        accepts("{ a(first: $missing) { b } }", &Limits::default());
        accepts("{ a(first: \"many\") { b } }", &Limits::default());
    }
}
