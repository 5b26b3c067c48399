//! The clauses that upstream's connectors know and Midge's have no use for, and the nearest known
//! clause to a word that is none.

use super::statement::Clause;

/// Clauses of other connectors, with why a statement here has none.
pub(super) const FOREIGN: &[(&str, &str)] = &[
    ("AUTOCREATE", "topics and measurements are made by Kafka and InfluxDB"),
    ("AUTOEVOLVE", "neither MQTT, Kafka nor InfluxDB has tables that could evolve"),
    ("CLUSTERBY", "it is Hive's"),
    ("DISTRIBUTEBY", "it is Hive's"),
    ("STOREAS", "it is for object stores and Redis"),
    ("INCREMENTALMODE", "it is for database sources"),
    ("WITHTYPE", "it is for JMS"),
    ("WITHJMSSELECTOR", "it is for JMS"),
    ("WITHSUBSCRIPTION", "it is for JMS and Pulsar"),
    ("WITHDOCTYPE", "it is for Elasticsearch"),
    ("WITHINDEXSUFFIX", "it is for Elasticsearch"),
    ("WITHPIPELINE", "it is for Elasticsearch"),
    ("WITHSESSION", "it is for document stores"),
    ("WITH_SESSION", "it is for document stores"),
    ("WITHGROUP", "the consumer group is the connector's"),
    ("WITHSTRUCTURE", "columns are always fields of one flat record; AS names them"),
    ("WITHUNWRAP", "the converters decide what a payload is"),
    ("WITHCOMPRESSION", "producer.override.compression.type does this"),
    ("WITHPARTITIONER", "producer.override.partitioner does this"),
    ("WITHDELAY", "it is for Pulsar"),
    ("WITH_ACK", "it is for JMS"),
    ("WITH_ENCODE_BASE64", "it is for queues"),
    ("WITH_LOCK_TIME", "it is for queues"),
    ("WITH_FLUSH_SIZE", "it is for object stores"),
    ("WITH_FLUSH_INTERVAL", "it is for object stores"),
    ("WITH_FLUSH_COUNT", "it is for object stores"),
    ("TTL", "it is for Redis and Cassandra"),
];

/// The longest word that is compared with the clauses.
const COMPARED_MAX: usize = 32;

/// A clause by its keyword, in any case.
pub(super) fn clause(word: &str) -> Option<Clause> {
    Clause::ALL.into_iter().find(|clause| clause.keyword().eq_ignore_ascii_case(word))
}

/// The known clause that a word was most likely to be.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    if word.len() > COMPARED_MAX {
        return None;
    }
    let word = word.to_ascii_uppercase();
    let distances = Clause::ALL.map(|clause| (distance(&word, clause.keyword()), clause.keyword()));
    let (distance, keyword) = distances.into_iter().min()?;
    // Beyond a third of the letters it is another word, not a slip.
    (distance <= keyword.len().div_ceil(3)).then_some(keyword)
}

/// How many letters must be put in, taken out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
