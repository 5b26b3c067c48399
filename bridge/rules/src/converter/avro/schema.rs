//! Avro schemas (specification 1.12) with everything that stands on them.
//!
//! Connect keeps what Avro has no word for in properties (`connect.type`, `connect.parameters`), on
//! primitive types too; so every node keeps its properties.
//!
//! Invariant: every index leads to a node; a name is that of one node; no union is in a union, nor
//! has two members of one unnamed type. Nodes may refer to one another in circles.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::converter::ConvertError;
use crate::converter::json::tree::Tree;

/// How many nodes a schema may have.
const NODES_MAX: usize = 20_000;

/// A schema: its nodes, and which one it is.
#[derive(Debug, Clone)]
pub(super) struct AvroSchema {
    pub(super) nodes: Vec<Node>,
    pub(super) root: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) shape: Shape,
    pub(super) doc: Option<String>,
    /// What the specification has no word for, `logicalType` included.
    pub(super) properties: IndexMap<String, Tree>,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record { name: Arc<str>, fields: Vec<AvroField> },
    Enum { name: Arc<str>, symbols: Arc<[Arc<str>]>, default: Option<String> },
    Fixed { name: Arc<str>, size: usize },
}

#[derive(Debug, Clone)]
pub(super) struct AvroField {
    pub(super) name: Arc<str>,
    pub(super) doc: Option<String>,
    pub(super) default: Option<Tree>,
    pub(super) schema: usize,
}

impl Node {
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).and_then(Tree::as_str)
    }

    /// The full name of a named type.
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        match &self.shape {
            Shape::Record { name, .. } | Shape::Enum { name, .. } | Shape::Fixed { name, .. } => {
                Some(name)
            }
            _ => None,
        }
    }

    /// The name of its type.
    pub(super) const fn type_name(&self) -> &'static str {
        match &self.shape {
            Shape::Null => "null",
            Shape::Boolean => "boolean",
            Shape::Int => "int",
            Shape::Long => "long",
            Shape::Float => "float",
            Shape::Double => "double",
            Shape::Bytes => "bytes",
            Shape::String => "string",
            Shape::Array(_) => "array",
            Shape::Map(_) => "map",
            Shape::Union(_) => "union",
            Shape::Record { .. } => "record",
            Shape::Enum { .. } => "enum",
            Shape::Fixed { .. } => "fixed",
        }
    }
}

impl AvroSchema {
    /// Reads a schema; `references` are those it may name, in the order in which they need one
    /// another.
    pub(super) fn parse(text: &str, references: &[String]) -> Result<Self, ConvertError> {
        let mut parser = Parser { nodes: Vec::new(), names: HashMap::new() };
        let mut root = 0;
        for text in references.iter().map(String::as_str).chain([text]) {
            root = match Tree::parse(text.as_bytes()) {
                Ok(tree) => parser.node(&tree, "")?,
                // A bare name is not JSON, but registries have it.
                Err(_)
                    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase()) =>
                {
                    parser.node(&Tree::String(text.to_owned()), "")?
                }
                Err(error) => return Err(invalid(error.to_string())),
            };
        }
        Ok(Self { nodes: parser.nodes, root })
    }
}

struct Parser {
    nodes: Vec<Node>,
    names: HashMap<Arc<str>, usize>,
}

fn invalid(what: impl AsRef<str>) -> ConvertError {
    ConvertError::data(format!("Invalid Avro schema: {}", what.as_ref()))
}

fn primitive(name: &str) -> Option<Shape> {
    Some(match name {
        "null" => Shape::Null,
        "boolean" => Shape::Boolean,
        "int" => Shape::Int,
        "long" => Shape::Long,
        "float" => Shape::Float,
        "double" => Shape::Double,
        "bytes" => Shape::Bytes,
        "string" => Shape::String,
        _ => return None,
    })
}

/// Whether a name is one of the specification: `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

impl Parser {
    /// The depth is that of the JSON, which the reader bounds.
    fn node(&mut self, tree: &Tree, space: &str) -> Result<usize, ConvertError> {
        match tree {
            Tree::String(name) => self.named(name, space),
            Tree::Array(members) => self.union(members, space),
            Tree::Object(_) => match tree.member("type") {
                Some(Tree::String(kind)) => self.complex(tree, kind, space),
                Some(inner @ (Tree::Object(_) | Tree::Array(_))) => self.node(inner, space),
                _ => Err(invalid("found an object without \"type\"")),
            },
            _ => Err(invalid("found neither a name, an object nor an array")),
        }
    }

    fn add(&mut self, node: Node) -> Result<usize, ConvertError> {
        if self.nodes.len() >= NODES_MAX {
            return Err(invalid(format!("found more than {NODES_MAX} parts")));
        }
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn named(&mut self, name: &str, space: &str) -> Result<usize, ConvertError> {
        if let Some(shape) = primitive(name) {
            return self.add(Node { shape, doc: None, properties: IndexMap::new() });
        }
        let full = qualified(name, space);
        match self.names.get(full.as_str()).or_else(|| self.names.get(name)) {
            Some(&index) => Ok(index),
            None => Err(invalid(format!("found the name {name:?}, which nothing defines"))),
        }
    }

    fn union(&mut self, members: &[Tree], space: &str) -> Result<usize, ConvertError> {
        let mut indices = Vec::with_capacity(members.len());
        let mut seen = HashSet::new();
        for member in members {
            let index = self.node(member, space)?;
            let node = &self.nodes[index];
            if matches!(node.shape, Shape::Union(_)) {
                return Err(invalid("found a union in a union"));
            }
            let name = node.name().map_or(node.type_name(), |name| name);
            if !seen.insert(name.to_owned()) {
                return Err(invalid(format!("found {name} twice in a union")));
            }
            indices.push(index);
        }
        let (doc, properties) = (None, IndexMap::new());
        self.add(Node { shape: Shape::Union(indices), doc, properties })
    }

    fn complex(&mut self, tree: &Tree, kind: &str, space: &str) -> Result<usize, ConvertError> {
        let own: &[&str] = match kind {
            "array" => &["items"],
            "map" => &["values"],
            "record" | "error" => &["name", "namespace", "aliases", "fields", "doc"],
            "enum" => &["name", "namespace", "aliases", "symbols", "default", "doc"],
            "fixed" => &["name", "namespace", "aliases", "size", "doc"],
            _ => &[],
        };
        let members = tree.as_object().into_iter().flatten();
        let properties = members
            .filter(|(key, _)| *key != "type" && !own.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let doc = tree.member("doc").filter(|_| own.contains(&"doc")).and_then(Tree::as_str);
        let doc = doc.map(str::to_owned);
        let part = |name: &str| {
            tree.member(name).ok_or_else(|| invalid(format!("found {kind} without {name:?}")))
        };
        let shape = match kind {
            "array" => Shape::Array(self.node(part("items")?, space)?),
            "map" => Shape::Map(self.node(part("values")?, space)?),
            "record" | "error" => return self.record(tree, space, doc, properties),
            "enum" => {
                let name = full_name(tree, space)?;
                let symbols = part("symbols")?.as_array().unwrap_or_default();
                let symbols = symbols.iter().map(|symbol| symbol.as_str().map(Arc::from));
                let symbols: Option<Arc<[Arc<str>]>> = symbols.collect();
                let symbols = symbols.filter(|symbols| !symbols.is_empty());
                let symbols =
                    symbols.ok_or_else(|| invalid(format!("enum {name} has no symbols")))?;
                let default = tree.member("default").and_then(Tree::as_str).map(str::to_owned);
                Shape::Enum { name: name.into(), symbols, default }
            }
            "fixed" => {
                let name = full_name(tree, space)?;
                let size = part("size")?.as_i32().and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| invalid(format!("fixed {name} has no size")))?;
                Shape::Fixed { name: name.into(), size }
            }
            name => match primitive(name) {
                Some(shape) => shape,
                None => return self.named(name, space),
            },
        };
        let node = Node { shape, doc, properties };
        let name = node.name().cloned();
        let index = self.add(node)?;
        match name {
            Some(name) => self.define(&name, index),
            None => Ok(index),
        }
    }

    fn define(&mut self, name: &Arc<str>, index: usize) -> Result<usize, ConvertError> {
        match self.names.insert(Arc::clone(name), index) {
            None => Ok(index),
            Some(_) => Err(invalid(format!("found the name {name} defined twice"))),
        }
    }

    fn record(
        &mut self,
        tree: &Tree,
        space: &str,
        doc: Option<String>,
        properties: IndexMap<String, Tree>,
    ) -> Result<usize, ConvertError> {
        let name: Arc<str> = full_name(tree, space)?.into();
        // Its fields may name it.
        let shape = Shape::Record { name: Arc::clone(&name), fields: Vec::new() };
        let index = self.add(Node { shape, doc, properties })?;
        self.define(&name, index)?;
        let inner = name.rsplit_once('.').map_or("", |(space, _)| space);
        let Some(members) = tree.member("fields").and_then(Tree::as_array) else {
            return Err(invalid(format!("record {name} has no \"fields\"")));
        };
        let mut seen = HashSet::with_capacity(members.len());
        let mut read = Vec::with_capacity(members.len());
        for member in members {
            let field = member.member("name").and_then(Tree::as_str).filter(|name| is_name(name));
            let field =
                field.ok_or_else(|| invalid(format!("record {name} has a field without name")))?;
            if !seen.insert(field) {
                return Err(invalid(format!("record {name} has the field {field} twice")));
            }
            let kind = member.member("type");
            let kind = kind.ok_or_else(|| invalid(format!("field {name}.{field} has no type")))?;
            read.push(AvroField {
                name: Arc::from(field),
                doc: member.member("doc").and_then(Tree::as_str).map(str::to_owned),
                default: member.member("default").cloned(),
                schema: self.node(kind, inner)?,
            });
        }
        if let Shape::Record { fields, .. } = &mut self.nodes[index].shape {
            *fields = read;
        }
        Ok(index)
    }
}

fn qualified(name: &str, space: &str) -> String {
    if space.is_empty() || name.contains('.') { name.to_owned() } else { format!("{space}.{name}") }
}

fn full_name(tree: &Tree, space: &str) -> Result<String, ConvertError> {
    let name = tree.member("name").and_then(Tree::as_str).unwrap_or_default();
    let space = tree.member("namespace").and_then(Tree::as_str).unwrap_or(space);
    let full = qualified(name, space);
    if full.split('.').all(is_name) {
        return Ok(full);
    }
    Err(invalid(format!("found the name {full:?}, expected letters, digits and '_'")))
}
