//! What an error of librdkafka means for the record or the connection it came with.

use midge_codec::ReasonCode;
use rdkafka::error::RDKafkaErrorCode as Code;

/// What becomes of a record that was not produced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It will never be: its publisher is told why.
    Refused(ReasonCode),
    /// Kafka has been asked and knows no such topic, and makes none.
    NoTopic,
    /// It has to be produced again, by another producer.
    Again,
}

/// Judges a record's error. What is not known to be the record's own fault is tried again: a
/// record is dropped only for a reason that will not pass.
pub(super) fn of_record(code: Code) -> Verdict {
    let reason = match code {
        Code::MessageSizeTooLarge | Code::InvalidMessageSize => ReasonCode::PacketTooLarge,
        Code::TopicAuthorizationFailed => ReasonCode::NotAuthorized,
        Code::InvalidTopic => ReasonCode::TopicNameInvalid,
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            return Verdict::NoTopic;
        }
        Code::PolicyViolation => ReasonCode::AdministrativeAction,
        Code::InvalidRecord
        | Code::InvalidMessage
        | Code::InvalidTimestamp
        | Code::MessageBatchTooLarge
        | Code::UnsupportedForMessageFormat
        | Code::InvalidArgument => ReasonCode::ImplementationSpecificError,
        _ => return Verdict::Again,
    };
    Verdict::Refused(reason)
}

/// Whether a batch was refused for its size, of which each of its records may be innocent.
pub(super) fn is_too_large(code: Code) -> bool {
    use Code::{InvalidMessageSize, MessageBatchTooLarge, MessageSizeTooLarge};
    matches!(code, MessageSizeTooLarge | MessageBatchTooLarge | InvalidMessageSize)
}

/// Whether an error of a client says that Kafka cannot be reached or used now.
pub(super) fn is_away(code: Code) -> bool {
    matches!(
        code,
        Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::Resolve
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::SSL
            | Code::OperationTimedOut
            | Code::RequestTimedOut
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_will_not_pass_refuses_a_record() {
        assert_eq!(
            of_record(Code::MessageSizeTooLarge),
            Verdict::Refused(ReasonCode::PacketTooLarge)
        );
        assert_eq!(
            of_record(Code::TopicAuthorizationFailed),
            Verdict::Refused(ReasonCode::NotAuthorized)
        );
        for code in [Code::MessageTimedOut, Code::Fatal, Code::PurgeQueue, Code::NotEnoughReplicas]
        {
            assert_eq!(of_record(code), Verdict::Again, "{code:?}");
        }
    }
}
