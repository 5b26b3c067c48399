//! From an Avro schema to its plan, and to the schema Connect sees.
//!
//! Invariant: no more than [`PARTS_MAX`] parts are made, so a small text cannot make a large plan; what
//! is recursive is refused.

use std::sync::Arc;

use super::default::{default_value, record_value};
use super::plan::{
    ANYTHING, AvroData, Compiled, DEFAULT_NAME, ENUM, ENUM_DEFAULT, ENUM_DOC, FIELD_DEFAULT,
    FIELD_DOC, MAP_ENTRY, Member, PRECISION, PRECISION_DEFAULT, Plan, RECORD_DOC, Record,
    RecordField, UNION, Union, short,
};
use super::schema::{AvroSchema, Node, Shape};
use crate::connect::{Field, Kind, LogicalType, Schema, SchemaRef, Value};
use crate::converter::ConvertError;
use crate::converter::json::tree::Tree;

/// How many parts a plan may have.
const PARTS_MAX: usize = 20_000;

/// Makes a schema ready.
pub(super) fn compile(avro: &AvroSchema, data: AvroData) -> Result<Compiled, ConvertError> {
    let root = &avro.nodes[avro.root];
    let record_name = root.name().cloned();
    if root.name().is_some_and(|name| **name == *ANYTHING) {
        return Ok(Compiled { plan: Plan::Anything, schema: None, record_name });
    }
    let mut compiler = Compiler { avro, data, open: Vec::new(), parts: 0 };
    let (schema, plan) = compiler.part(avro.root, false, None)?;
    Ok(Compiled { plan, schema: Some(schema), record_name })
}

struct Compiler<'a> {
    avro: &'a AvroSchema,
    data: AvroData,
    /// The records that are being made, outermost first.
    open: Vec<usize>,
    parts: usize,
}

fn wrong<T>(what: impl Into<String>) -> Result<T, ConvertError> {
    Err(ConvertError::data(what))
}

impl Compiler<'_> {
    fn part(
        &mut self,
        index: usize,
        force_optional: bool,
        field_default: Option<&Tree>,
    ) -> Result<(SchemaRef, Plan), ConvertError> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return wrong(format!("Avro schema has more than {PARTS_MAX} parts when written out"));
        }
        if self.open.contains(&index) {
            let name = self.avro.nodes[index].name().map_or("", |name| name);
            return wrong(format!("Avro schema is recursive in {name}, which is not supported"));
        }
        self.open.push(index);
        let made = self.made(index, force_optional, field_default);
        self.open.pop();
        made
    }

    fn made(
        &mut self,
        index: usize,
        force_optional: bool,
        field_default: Option<&Tree>,
    ) -> Result<(SchemaRef, Plan), ConvertError> {
        let avro = self.avro;
        let node = &avro.nodes[index];
        let (mut schema, plan) = match &node.shape {
            Shape::Null => {
                return wrong("Standalone null schemas are not supported by this converter");
            }
            Shape::Boolean => (Schema::new(Kind::Boolean), Plan::Boolean),
            Shape::Float => (Schema::new(Kind::Float32), Plan::Float),
            Shape::Double => (Schema::new(Kind::Float64), Plan::Double),
            Shape::String => (Schema::new(Kind::String), Plan::String),
            Shape::Int => int(node)?,
            Shape::Long if is_logical(node, "timestamp-millis") => {
                (Schema::logical(LogicalType::Timestamp, None), Plan::Timestamp)
            }
            Shape::Long => (Schema::new(Kind::Int64), Plan::Int64),
            Shape::Bytes => bytes(node, None)?,
            Shape::Fixed { size, .. } => bytes(node, Some(*size))?,
            Shape::Enum { name, symbols, default } => {
                (self.enumeration(node, name, symbols, default.as_deref()), {
                    Plan::Enum(Arc::clone(symbols))
                })
            }
            Shape::Array(element) => self.array(*element)?,
            Shape::Map(values) => {
                let (schema, plan) = self.part(*values, false, None)?;
                let keys = Arc::new(Schema::new(Kind::String));
                (Schema::new(Kind::Map(keys, schema)), Plan::Map(Box::new(plan)))
            }
            Shape::Record { .. } => self.record(node)?,
            Shape::Union(members) => {
                if let Some(optional) = self.optional(members)? {
                    return Ok(optional);
                }
                self.union(members)?
            }
        };
        self.annotate(node, &mut schema)?;
        self.set_default(node, &mut schema, &plan, field_default)?;
        self.set_name(node, &mut schema)?;
        schema.optional |= force_optional;
        // Structs share the schema of their field, so that nobody has to look whether it is the same.
        let schema = Arc::new(schema);
        let plan = match plan {
            Plan::Record(record) => Plan::Record(Record { schema: Arc::clone(&schema), ..record }),
            Plan::Union(union) => Plan::Union(Union { schema: Arc::clone(&schema), ..union }),
            plan => plan,
        };
        Ok((schema, plan))
    }

    /// Null and one other.
    fn optional(&mut self, members: &[usize]) -> Result<Option<(SchemaRef, Plan)>, ConvertError> {
        let is_null = |index: usize| matches!(self.avro.nodes[index].shape, Shape::Null);
        let (null, value) = match *members {
            [first, second] if is_null(first) && !is_null(second) => (0, second),
            [first, second] if is_null(second) && !is_null(first) => (1, first),
            _ => return Ok(None),
        };
        let (schema, plan) = self.part(value, true, None)?;
        Ok(Some((schema, Plan::Optional { null, value: Box::new(plan) })))
    }

    fn union(&mut self, members: &[usize]) -> Result<(Schema, Plan), ConvertError> {
        let mut fields: Vec<Field> = Vec::with_capacity(members.len());
        let mut read = Vec::with_capacity(members.len());
        let mut optional = false;
        for &member in members {
            let node = &self.avro.nodes[member];
            if matches!(node.shape, Shape::Null) {
                optional = true;
                read.push(Member { plan: Plan::Null, field: None, name: Arc::from("null") });
                continue;
            }
            let name = self.member_name(node);
            if fields.iter().any(|field| *field.name == *name) {
                return wrong("Multiple union schemas map to the Connect union field name");
            }
            let (schema, plan) = self.part(member, true, None)?;
            read.push(Member { plan, field: Some(fields.len()), name: Arc::clone(&name) });
            fields.push(Field::new(name, schema));
        }
        let mut schema = Schema::structure(fields);
        schema.optional = optional;
        schema.name = Some(Arc::from(UNION));
        let union = Union { schema: Arc::new(schema.clone()), members: read };
        Ok((schema, Plan::Union(union)))
    }

    fn member_name(&self, node: &Node) -> Arc<str> {
        match (&node.shape, node.name()) {
            (Shape::Record { .. } | Shape::Enum { .. }, Some(name)) if self.data.enhanced => {
                Arc::clone(name)
            }
            (Shape::Record { .. } | Shape::Enum { .. }, Some(name)) => Arc::from(short(name)),
            _ => Arc::from(node.type_name()),
        }
    }

    fn enumeration(
        &self,
        node: &Node,
        name: &str,
        symbols: &[Arc<str>],
        default: Option<&str>,
    ) -> Schema {
        let mut schema = Schema::new(Kind::String);
        if self.data.connect_meta_data {
            if let Some(doc) = &node.doc {
                set(&mut schema, &format!("{ENUM_DOC}{}", short(name)), doc);
            }
            if let Some(default) = default {
                set(&mut schema, &format!("{ENUM_DEFAULT}{}", short(name)), default);
            }
        }
        set(&mut schema, ENUM, name);
        for symbol in symbols {
            // Symbols differ, so there is nothing to replace.
            let key = format!("{ENUM}.{symbol}");
            schema.parameters.push((Arc::from(key), Arc::clone(symbol)));
        }
        schema
    }

    fn array(&mut self, element: usize) -> Result<(Schema, Plan), ConvertError> {
        let node = &self.avro.nodes[element];
        let is_entry = node.name().is_some_and(|name| **name == *MAP_ENTRY)
            || node.property("connect.internal.type") == Some("MapEntry");
        if let Shape::Record { fields, .. } = &node.shape
            && is_entry
        {
            let [key, value] = &fields[..] else {
                return wrong(ENTRY);
            };
            if *key.name != *"key" || *value.name != *"value" {
                return wrong(ENTRY);
            }
            let (keys, key_plan) = self.part(key.schema, false, None)?;
            let (values, value_plan) = self.part(value.schema, false, None)?;
            let schema = Schema::new(Kind::Map(keys, values));
            return Ok((schema, Plan::Pairs(Box::new((key_plan, value_plan)))));
        }
        let (schema, plan) = self.part(element, false, None)?;
        Ok((Schema::new(Kind::Array(schema)), Plan::Array(Box::new(plan))))
    }

    fn record(&mut self, node: &Node) -> Result<(Schema, Plan), ConvertError> {
        let Shape::Record { fields: members, .. } = &node.shape else {
            return wrong("found no record");
        };
        let meta = self.data.connect_meta_data;
        let mut parameters = Vec::new();
        if let Some(doc) = node.doc.as_deref().filter(|_| meta) {
            parameters.push((Arc::from(RECORD_DOC), Arc::from(doc)));
        }
        let mut fields = Vec::with_capacity(members.len());
        let mut read = Vec::with_capacity(members.len());
        for member in members {
            if let Some(doc) = member.doc.as_deref().filter(|_| meta) {
                parameters.push((Arc::from(format!("{FIELD_DOC}{}", member.name)), Arc::from(doc)));
            }
            let (schema, plan) = self.part(member.schema, false, member.default.as_ref())?;
            let default = match &member.default {
                Some(Tree::Null) => Some(Value::Null),
                Some(default) => Some(default_value(&plan, &schema, default)?),
                None => None,
            };
            read.push(RecordField { name: Arc::clone(&member.name), plan, default });
            fields.push(Field::new(Arc::clone(&member.name), schema));
        }
        let mut schema = Schema::structure(fields);
        schema.parameters = parameters;
        let record = Record { schema: Arc::new(schema.clone()), fields: read };
        Ok((schema, Plan::Record(record)))
    }

    /// Documentation, version and parameters.
    fn annotate(&self, node: &Node, schema: &mut Schema) -> Result<(), ConvertError> {
        let meta = self.data.connect_meta_data;
        if let Some(doc) = node.property("connect.doc").filter(|_| meta) {
            schema.doc = Some(Arc::from(doc));
        }
        if let Some(version) = node.properties.get("connect.version") {
            let Some(version) = version.as_i32() else {
                return wrong("Invalid Connect version found");
            };
            match schema.version {
                Some(known) if known != version => {
                    return wrong(format!(
                        "Mismatched versions: version already added to SchemaBuilder ({known}) \
                         differs from version in source schema ({version})"
                    ));
                }
                _ => schema.version = Some(version),
            }
        }
        if let Some(parameters) = node.properties.get("connect.parameters").filter(|_| meta) {
            let Some(parameters) = parameters.as_object() else {
                return wrong(
                    "Expected JSON object for schema parameters but found something else",
                );
            };
            for (key, value) in parameters {
                let Some(value) = value.as_str() else {
                    return wrong(format!(
                        "Expected schema parameter values to be strings but found another in {key}"
                    ));
                };
                set(schema, key, value);
            }
        }
        for (key, value) in node.properties.iter().filter(|(key, _)| key.starts_with("avro")) {
            match value {
                Tree::String(text) => set(schema, key, text),
                other => {
                    let mut text = Vec::new();
                    other.write(&mut text);
                    set(schema, key, &String::from_utf8_lossy(&text));
                }
            }
        }
        Ok(())
    }

    fn set_default(
        &self,
        node: &Node,
        schema: &mut Schema,
        plan: &Plan,
        field_default: Option<&Tree>,
    ) -> Result<(), ConvertError> {
        if matches!(plan, Plan::Union(_)) {
            return Ok(());
        }
        let connect = node.properties.get("connect.default");
        if field_default.is_some() && connect.is_none() {
            set(schema, FIELD_DEFAULT, "true");
        }
        let default = field_default.or(connect).filter(|default| **default != Tree::Null);
        if let Some(default) = default {
            // Read by the schema as it is without default.
            let value = match plan {
                Plan::Record(record) => {
                    record_value(&Arc::new(schema.clone()), &record.fields, default)?
                }
                plan => default_value(plan, schema, default)?,
            };
            schema.default = Some(value);
        }
        Ok(())
    }

    fn set_name(&self, node: &Node, schema: &mut Schema) -> Result<(), ConvertError> {
        let name = match node.properties.get("connect.name") {
            Some(Tree::String(name)) => Some(name.as_str()),
            Some(_) => return wrong("Invalid schema name"),
            None => match &node.shape {
                Shape::Record { name, .. } | Shape::Enum { name, .. } => Some(&**name),
                _ => None,
            },
        };
        let Some(name) = name.filter(|name| *name != DEFAULT_NAME) else {
            return Ok(());
        };
        match &schema.name {
            None => schema.name = Some(Arc::from(name)),
            Some(known) if **known != *name => {
                return wrong(format!(
                    "Mismatched names: name already added to SchemaBuilder ({known}) differs from \
                     name in source schema ({name})"
                ));
            }
            Some(_) => {}
        }
        Ok(())
    }
}

const ENTRY: &str = "Found map encoded as array of key-value pairs, but array elements do not \
    match the expected format.";

fn is_logical(node: &Node, name: &str) -> bool {
    node.property("logicalType").is_some_and(|found| found.eq_ignore_ascii_case(name))
}

fn set(schema: &mut Schema, key: &str, value: &str) {
    match schema.parameters.iter_mut().find(|(known, _)| **known == *key) {
        Some((_, known)) => *known = Arc::from(value),
        None => schema.parameters.push((Arc::from(key), Arc::from(value))),
    }
}

fn int(node: &Node) -> Result<(Schema, Plan), ConvertError> {
    Ok(match (node.property("connect.type"), node.property("logicalType")) {
        (_, Some(_)) if is_logical(node, "date") => {
            (Schema::logical(LogicalType::Date, None), Plan::Date)
        }
        (_, Some(_)) if is_logical(node, "time-millis") => {
            (Schema::logical(LogicalType::Time, None), Plan::Time)
        }
        (Some("int8"), None) => (Schema::new(Kind::Int8), Plan::Int8),
        (Some("int16"), None) => (Schema::new(Kind::Int16), Plan::Int16),
        (Some(_), None) => return wrong("Connect type annotation for Avro int field is null"),
        _ => (Schema::new(Kind::Int32), Plan::Int32),
    })
}

fn bytes(node: &Node, size: Option<usize>) -> Result<(Schema, Plan), ConvertError> {
    if !is_logical(node, "decimal") {
        let plan = size.map_or(Plan::Bytes, Plan::Fixed);
        return Ok((Schema::new(Kind::Bytes), plan));
    }
    let scale = match node.properties.get("scale") {
        // Avro's own default; upstream asks for one.
        None => 0,
        Some(scale) => match scale.as_i32() {
            Some(scale) => scale,
            None => return wrong("scale must be specified and must be a number."),
        },
    };
    let mut schema = Schema::logical(LogicalType::Decimal, Some(scale));
    if let Some(precision) = node.properties.get("precision") {
        let Some(precision) = precision.as_i32() else {
            return wrong("precision property must be a JSON Integer.");
        };
        if precision != PRECISION_DEFAULT {
            set(&mut schema, PRECISION, &precision.to_string());
        }
    }
    Ok((schema, Plan::Decimal { scale, size }))
}
