use std::sync::Arc;

use super::{Field, Kind, LogicalType, Schema, Struct, Value, validate};

fn person() -> Arc<Schema> {
    let mut age = Schema::new(Kind::Int32);
    age.default = Some(Value::Int32(18));
    Arc::new(Schema::structure(vec![
        Field::new("name", Schema::new(Kind::String)),
        Field::new("age", age),
    ]))
}

#[test]
fn a_missing_field_stands_for_its_default() {
    let structure = Struct::new(person());
    assert_eq!(structure.value("age"), Some(&Value::Int32(18)));
    assert_eq!(structure.without_default("age"), Some(&Value::Null));
    assert_eq!(structure.value("height"), None);
}

#[test]
fn a_value_of_another_type_is_refused_with_the_fields_name() {
    let mut structure = Struct::new(person());
    structure.put("name", Value::string("Ada")).unwrap();
    let error = structure.put("age", Value::Int64(3)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid Java object for schema with type INT32: class java.lang.Long for field: \"age\""
    );
    assert_eq!(
        structure.put("name", Value::Null).unwrap_err().to_string(),
        "Invalid value: null used for required field: \"name\", schema type: STRING"
    );
}

#[test]
fn a_logical_type_takes_its_own_values_alone() {
    let timestamp = Schema::logical(LogicalType::Timestamp, None);
    assert!(validate(None, &timestamp, &Value::Timestamp(1)).is_ok());
    assert!(validate(None, &timestamp, &Value::Int64(1)).is_err());
    assert!(validate(None, &Schema::new(Kind::Int64), &Value::Timestamp(1)).is_err());
}
