//! Dates, times and timestamps as the numbers that stand for them.

use super::{LogicalType, Schema, SchemaMismatch, Value};

const DAY_MS: i64 = 86_400_000;

/// The number of a moment by its schema's name: days, milliseconds of the day or milliseconds since
/// the epoch; none when the schema names no such type.
///
/// # Errors
/// When a date has a time, or a time a date.
pub fn encode(schema: &Schema, millis: i64) -> Result<Option<Value>, SchemaMismatch> {
    Ok(match schema.name.as_deref().and_then(LogicalType::named) {
        Some(LogicalType::Date) if millis.rem_euclid(DAY_MS) != 0 => {
            return Err(SchemaMismatch(
                "Kafka Connect Date type should not have any time fields set to non-zero values."
                    .to_owned(),
            ));
        }
        Some(LogicalType::Date) => Some(Value::Int32((millis / DAY_MS) as i32)),
        Some(LogicalType::Time) if !(0..=DAY_MS).contains(&millis) => {
            return Err(SchemaMismatch(
                "Kafka Connect Time type should not have any date fields set to non-zero values."
                    .to_owned(),
            ));
        }
        Some(LogicalType::Time) => Some(Value::Int32(millis as i32)),
        Some(LogicalType::Timestamp) => Some(Value::Int64(millis)),
        Some(LogicalType::Decimal) | None => None,
    })
}
