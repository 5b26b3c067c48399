//! What is understood.

use super::*;

#[test]
fn an_insert_is_a_target_columns_and_a_source() {
    let statement = one("INSERT INTO topicA SELECT * FROM topicB");
    assert_eq!(statement.mode, Mode::Insert);
    assert_eq!(statement.target.text, "topicA");
    assert_eq!(statement.source.text, "topicB");
    assert!(statement.selection.is_everything());
    assert_eq!(statement.given, []);
    assert_eq!(one("upsert into a select * from b").mode, Mode::Upsert);
}

#[test]
fn every_statement_of_the_connectors_own_pages_is_understood() {
    for text in [
        "INSERT INTO /datamountaineer/mqtt_topic SELECT * FROM kafka-topic",
        "INSERT INTO influxMeasure SELECT * FROM influx-topic WITHTIMESTAMP sys_time()",
        "INSERT INTO measureA SELECT * FROM topicA  WITHTAG (DataMountaineer=awesome, Influx=rulz!)",
        "INSERT INTO measureA SELECT * FROM topicA  WITHTAG (from, to)",
        "INSERT INTO measureA SELECT * FROM topicA  WITHTAG (from, to, provider=DataMountaineer)",
        "INSERT INTO measureB SELECT x AS a, y AS b and z AS c FROM topicB WITHTIMESTAMP y",
        "INSERT INTO smap_telemetry_data SELECT * FROM telemetry/+/+ WITHCONVERTER=\
         `com.datamountaineer.streamreactor.connect.converters.source.BytesConverter`",
    ] {
        assert_eq!(parsed(text).statements.len(), 1, "{text}");
    }
}

#[test]
fn keywords_are_known_in_any_case_and_may_be_spread_over_lines() {
    let statement =
        one("Insert Into a\n  Select *\n  From b\n  Batch = 7\n  WithTimestamp SYS_TIME()");
    assert_eq!(statement.batch.map(std::num::NonZeroU32::get), Some(7));
    assert_eq!(statement.timestamp, Some(TimestampFrom::SystemTime));
}

#[test]
fn names_have_the_characters_of_topics_and_filters() {
    for name in
        ["a-b_c", "/plant/+/temp", "a/#", "#", "+", "$share/g/a/#", "a.b", "x:y", "größe", "$"]
    {
        assert_eq!(one(&format!("INSERT INTO t SELECT * FROM {name}")).source.text, name);
        assert_eq!(one(&format!("INSERT INTO t SELECT * FROM `{name}`")).source.text, name);
        assert_eq!(one(&format!("INSERT INTO {name} SELECT * FROM t")).target.text, name);
    }
    assert_eq!(one("INSERT INTO t SELECT * FROM `a b=(c),;`").source.text, "a b=(c),;");
    assert_eq!(one("INSERT INTO t SELECT * FROM a/`b c`/d").source.text, "a/b c/d");
    assert_eq!(one("INSERT INTO s.${topic[2]} SELECT * FROM t").target.text, "s.${topic[2]}");
}

#[test]
fn columns_are_paths_stars_and_metadata_with_new_names() {
    let statement = one(
        "INSERT INTO t SELECT *, a, a.b.c, a.b AS `new name`, a.*, _key, _key.x, _key.*, _key.x.*, \
         _value, _value.v, _value.*, _header.mqtt.topic, _topic, _offset AS o, _partition, \
         _timestamp, `_key`.x, `a.b`.c, 'q r' FROM f",
    );
    let expected = [
        "all of value ",
        "a AS a",
        "a.b.c AS c",
        "a.b AS new name",
        "all of value a",
        "_key AS _key",
        "_key.x AS x",
        "all of key ",
        "all of key x",
        "_value AS _value",
        "v AS v",
        "all of value ",
        "_header.mqtt.topic AS mqtt.topic",
        "_topic AS _topic",
        "_offset AS o",
        "_partition AS _partition",
        "_timestamp AS _timestamp",
        "_key.x AS x",
        "a.b.c AS c",
        "q r AS q r",
    ];
    assert_eq!(columns(&statement), expected);
    // In quotes a name is never a word of the language, and its dots are its own.
    let taken = |index: usize| statement.selection.columns[index].taken.clone();
    let field = Field::Value(vec!["_key".to_owned(), "x".to_owned()]);
    assert_eq!(taken(17), Taken::One { field, name: "x".to_owned() });
    let field = Field::Value(vec!["a.b".to_owned(), "c".to_owned()]);
    assert_eq!(taken(18), Taken::One { field, name: "c".to_owned() });
}

#[test]
fn a_column_may_bear_a_keywords_name_where_nothing_is_doubtful() {
    let statement = one("INSERT INTO t SELECT from, to, batch, limit, ignore AS pk FROM `from`");
    let expected = ["from AS from", "to AS to", "batch AS batch", "limit AS limit", "ignore AS pk"];
    assert_eq!(columns(&statement), expected);
    assert_eq!(statement.source.text, "from");
    assert_eq!(columns(&one("INSERT INTO t SELECT from FROM t")), ["from AS from"]);
    assert_eq!(columns(&one("INSERT INTO t SELECT `from` AS x FROM t")), ["from AS x"]);
}

#[test]
fn and_between_columns_is_a_comma_with_a_warning() {
    let kcql = parsed("INSERT INTO m SELECT x AS a, y AS b and z AS c FROM t WITHTIMESTAMP y");
    assert_eq!(columns(&kcql.statements[0]), ["x AS a", "y AS b", "z AS c"]);
    let warnings: Vec<String> = kcql.warnings.iter().map(|w| w.drawn().to_string()).collect();
    let expected = "\
kcql, line 1, column 37: 'and' between columns is read as ','
    INSERT INTO m SELECT x AS a, y AS b and z AS c FROM t WITHTIMESTAMP y
                                        ^^^";
    assert_eq!(warnings, [expected]);
}

#[test]
fn clauses_come_in_any_order() {
    let statement =
        one("INSERT INTO t SELECT * FROM f PROPERTIES('a.b'='c', d=e) LIMIT 3 WITHREGEX=`^x.*$` \
         KEYDELIMITER='|' WITHKEY(a, `b.c`, d.`e.f`) WITHCONVERTER=x.Y WITHFORMAT=json \
         WITHTAG(a, k=v, a.b AS x, c.d) TIMESTAMPUNIT=nanoseconds WITHTIMESTAMP a.ts \
         PARTITIONBY p, q.r BATCH=12 WITHTARGET=`m.n` PK a, _key.b IGNORE i, j.k");
    assert_eq!(statement.given.len(), Clause::ALL.len());
    assert_eq!(statement.limit, Some(3));
    assert_eq!(statement.regex.map(|name| name.text).as_deref(), Some("^x.*$"));
    assert_eq!(statement.key_delimiter.as_deref(), Some("|"));
    let keys: Vec<Field> = statement.key.into_iter().map(|(field, _)| field).collect();
    let mixed = Field::Value(vec!["d".to_owned(), "e.f".to_owned()]);
    assert_eq!(keys, [Field::Value(path("a")), Field::Value(path("b.c")), mixed]);
    assert_eq!(statement.converter.map(|name| name.text).as_deref(), Some("x.Y"));
    assert_eq!(statement.format.map(|name| name.text).as_deref(), Some("json"));
    let tag = |name: &str, field: &str| Tag::Field {
        name: name.to_owned(),
        field: Field::Value(path(field)),
    };
    let constant = Tag::Constant { name: "k".to_owned(), value: "v".to_owned() };
    assert_eq!(statement.tags, [tag("a", "a"), constant, tag("x", "a.b"), tag("c.d", "c.d")]);
    assert_eq!(statement.timestamp_unit, Some(TimestampUnit::Nanoseconds));
    assert_eq!(statement.timestamp, Some(TimestampFrom::Field(Field::Value(path("a.ts")))));
    assert_eq!(statement.partition_by, [Field::Value(path("p")), Field::Value(path("q.r"))]);
    assert_eq!(statement.with_target, Some(Field::Value(path("m.n"))));
    assert_eq!(statement.primary_key, [Field::Value(path("a")), Field::Key(path("b"))]);
    assert_eq!(statement.selection.ignored, [path("i"), path("j.k")]);
    let properties: Vec<(&str, &str)> =
        statement.properties.iter().map(|(k, v)| (k.text.as_str(), v.text.as_str())).collect();
    assert_eq!(properties, [("a.b", "c"), ("d", "e")]);
}

#[test]
fn a_tags_value_may_have_any_character_but_punctuation() {
    let statement = one("INSERT INTO m SELECT * FROM t WITHTAG(a=rulz!, b=50%, c='x y', d=1)");
    let values: Vec<&str> = statement
        .tags
        .iter()
        .map(|tag| match tag {
            Tag::Constant { value, .. } => value.as_str(),
            Tag::Field { .. } => panic!("{tag:?}"),
        })
        .collect();
    assert_eq!(values, ["rulz!", "50%", "x y", "1"]);
}

#[test]
fn statements_keep_their_order_and_their_doubles() {
    let text = ";INSERT INTO b SELECT * FROM x;\nINSERT INTO a SELECT * FROM x ; \
                INSERT INTO b SELECT * FROM x;;";
    let kcql = parsed(text);
    let targets: Vec<&str> =
        kcql.statements.iter().map(|statement| statement.target.text.as_str()).collect();
    assert_eq!(targets, ["b", "a", "b"]);
    assert_eq!(kcql.statements[1].written(), "INSERT INTO a SELECT * FROM x");
}

#[test]
fn a_line_that_begins_with_a_hash_before_a_statement_is_a_comment() {
    let text = "# first\n  #second; INSERT\nINSERT INTO a SELECT * FROM # ; # last\n";
    let kcql = parsed(text);
    assert_eq!(kcql.statements.len(), 1);
    assert_eq!(kcql.statements[0].source.text, "#");
}
