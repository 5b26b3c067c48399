//! From Avro's binary encoding to values.
//!
//! Invariant: what is read is bounded by what is there: a value costs at least one byte of input
//! or one of a fixed number of free ones, and a length is checked before anything is kept for it.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::plan::{Plan, Record, Union};
use crate::connect::{Decimal, LogicalType, Map, Struct, Value};
use crate::converter::ConvertError;
use crate::converter::json::decode::moment;
use crate::converter::json::names::Names;

/// How many values may take no bytes at all: nulls, empty records.
const FREE: usize = 65_536;
/// How many values that say what they are may be in one another.
const DEPTH_MAX: u32 = 128;

pub(super) struct Decoder<'n> {
    input: Bytes,
    /// How many values may still be read.
    budget: usize,
    depth: u32,
    names: &'n mut Names,
}

fn wrong<T>(what: impl std::fmt::Display) -> Result<T, ConvertError> {
    Err(ConvertError::data(format!("Error deserializing Avro message: {what}")))
}

impl<'n> Decoder<'n> {
    pub(super) fn new(input: Bytes, names: &'n mut Names) -> Self {
        let budget = input.len() + FREE;
        Self { input, budget, depth: 0, names }
    }

    /// A value that takes all there is.
    pub(super) fn whole(mut self, plan: &Plan) -> Result<Value, ConvertError> {
        let value = self.value(plan)?;
        if self.input.is_empty() {
            return Ok(value);
        }
        wrong(format!("found {} bytes more than its schema has", self.input.len()))
    }

    fn value(&mut self, plan: &Plan) -> Result<Value, ConvertError> {
        let Some(budget) = self.budget.checked_sub(1) else {
            return wrong("found more values than a message of its size may have");
        };
        self.budget = budget;
        Ok(match plan {
            Plan::Null => Value::Null,
            Plan::Boolean => match self.byte()? {
                0 => Value::Boolean(false),
                1 => Value::Boolean(true),
                other => return wrong(format!("found {other} as a boolean, expected 0 or 1")),
            },
            Plan::Int8 => Value::Int8(self.narrow()?),
            Plan::Int16 => Value::Int16(self.narrow()?),
            Plan::Int32 => Value::Int32(self.narrow()?),
            Plan::Date => moment(LogicalType::Date, self.narrow()?)?,
            Plan::Time => moment(LogicalType::Time, self.narrow()?)?,
            Plan::Int64 => Value::Int64(self.long()?),
            Plan::Timestamp => Value::Timestamp(self.long()?),
            Plan::Float => Value::Float32(f32::from_le_bytes(self.array()?)),
            Plan::Double => Value::Float64(f64::from_le_bytes(self.array()?)),
            Plan::Bytes => Value::Bytes(self.bytes()?),
            Plan::Fixed(size) => Value::Bytes(self.take(*size)?),
            Plan::Decimal { scale, size } => {
                let bytes = match size {
                    Some(size) => self.take(*size)?,
                    None => self.bytes()?,
                };
                Value::Decimal(Decimal::from_bytes(&bytes, *scale))
            }
            Plan::String => {
                let bytes = self.bytes()?;
                Value::String(Arc::from(text(&bytes)?))
            }
            Plan::Enum(symbols) => {
                let found = self.long()?;
                let symbol = usize::try_from(found).ok().and_then(|index| symbols.get(index));
                match symbol {
                    Some(symbol) => Value::String(Arc::clone(symbol)),
                    None => return wrong(format!("found symbol {found} of {}", symbols.len())),
                }
            }
            Plan::Array(plan) => {
                let mut values = Vec::new();
                while let Some(count) = self.block()? {
                    for _ in 0..count {
                        values.push(self.value(plan)?);
                    }
                }
                Value::Array(values)
            }
            Plan::Map(plan) => {
                let mut map = Map::new();
                while let Some(count) = self.block()? {
                    for _ in 0..count {
                        let key = self.bytes()?;
                        let key = Value::String(self.names.intern(text(&key)?));
                        map.insert(key, self.value(plan)?);
                    }
                }
                Value::Map(map)
            }
            Plan::Pairs(plans) => {
                let mut map = Map::new();
                while let Some(count) = self.block()? {
                    for _ in 0..count {
                        let key = self.value(&plans.0)?;
                        map.insert(key, self.value(&plans.1)?);
                    }
                }
                Value::Map(map)
            }
            Plan::Record(record) => self.record(record)?,
            Plan::Optional { null, value } => match self.long()? {
                found if found == *null => Value::Null,
                0 | 1 => self.value(value)?,
                found => return wrong(format!("found member {found} of a union of 2")),
            },
            Plan::Union(union) => self.union(union)?,
            Plan::Anything => self.anything()?,
        })
    }

    fn record(&mut self, record: &Record) -> Result<Value, ConvertError> {
        let mut structure = Struct::new(Arc::clone(&record.schema));
        for (index, field) in record.fields.iter().enumerate() {
            structure.set_at(index, self.value(&field.plan)?);
        }
        Ok(Value::Struct(Box::new(structure)))
    }

    fn union(&mut self, union: &Union) -> Result<Value, ConvertError> {
        let found = self.long()?;
        let Some(member) = usize::try_from(found).ok().and_then(|at| union.members.get(at)) else {
            let members = union.members.len();
            return wrong(format!("found member {found} of a union of {members}"));
        };
        let value = self.value(&member.plan)?;
        let Some(field) = member.field else {
            return Ok(Value::Null);
        };
        let mut structure = Struct::new(Arc::clone(&union.schema));
        structure.set_at(field, value);
        Ok(Value::Struct(Box::new(structure)))
    }

    /// A record with a field for each type, all but one of them null.
    fn anything(&mut self) -> Result<Value, ConvertError> {
        if self.depth == DEPTH_MAX {
            return wrong(format!("found more than {DEPTH_MAX} arrays and maps in one another"));
        }
        self.depth += 1;
        let mut found = Value::Null;
        for plan in ANYTHING {
            if self.present()? {
                let value = self.value(&plan)?;
                found = if found.is_null() { value } else { found };
            }
        }
        if self.present()? {
            let mut values = Vec::new();
            while let Some(count) = self.block()? {
                for _ in 0..count {
                    values.push(self.value(&Plan::Anything)?);
                }
            }
            found = if found.is_null() { Value::Array(values) } else { found };
        }
        if self.present()? {
            let mut map = Map::new();
            while let Some(count) = self.block()? {
                for _ in 0..count {
                    let key = self.value(&Plan::Anything)?;
                    map.insert(key, self.value(&Plan::Anything)?);
                }
            }
            found = if found.is_null() { Value::Map(map) } else { found };
        }
        self.depth -= 1;
        Ok(found)
    }

    fn present(&mut self) -> Result<bool, ConvertError> {
        match self.long()? {
            0 => Ok(false),
            1 => Ok(true),
            found => wrong(format!("found member {found} of a union of 2")),
        }
    }

    /// The number of values in the next block of an array or map; none after the last.
    fn block(&mut self) -> Result<Option<u64>, ConvertError> {
        let count = self.long()?;
        if count < 0 {
            // Its size in bytes follows, for those who skip it.
            self.long()?;
        }
        Ok((count != 0).then(|| count.unsigned_abs()))
    }

    fn byte(&mut self) -> Result<u8, ConvertError> {
        Ok(self.array::<1>()?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ConvertError> {
        let mut bytes = [0; N];
        match self.input.try_copy_to_slice(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(_) => wrong("found its end, expected more"),
        }
    }

    fn take(&mut self, length: usize) -> Result<Bytes, ConvertError> {
        if length > self.input.len() {
            let left = self.input.len();
            return wrong(format!("found {left} bytes, expected {length}"));
        }
        Ok(self.input.split_to(length))
    }

    fn bytes(&mut self) -> Result<Bytes, ConvertError> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) => wrong(format!("found a length of {length}")),
        }
    }

    fn narrow<T: TryFrom<i64>>(&mut self) -> Result<T, ConvertError> {
        let value = self.long()?;
        T::try_from(value).or_else(|_| wrong(format!("found {value}, beyond its type")))
    }

    /// A zigzag number of up to ten bytes.
    fn long(&mut self) -> Result<i64, ConvertError> {
        let mut value = 0_u64;
        for (index, &byte) in self.input.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.input.advance(index + 1);
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        wrong("found no whole number")
    }
}

/// The fields of a value that says what it is, up to its arrays and maps.
const ANYTHING: [Plan; 7] =
    [Plan::Boolean, Plan::Bytes, Plan::Double, Plan::Float, Plan::Int32, Plan::Int64, Plan::String];

fn text(bytes: &[u8]) -> Result<&str, ConvertError> {
    std::str::from_utf8(bytes).or_else(|_| wrong("found text that is no UTF-8"))
}
