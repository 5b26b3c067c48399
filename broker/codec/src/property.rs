//! Property Identifiers (2.2.2.2).
//!
//! Invariant: reading and writing name a property by this one table.

macro_rules! properties {
    ($($name:ident = $id:literal $text:literal,)*) => {
        /// A property of MQTT 5, by its identifier (2.2.2.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Property {
            $(#[doc = $text] $name = $id,)*
        }

        impl Property {
            /// The property of an identifier off the wire; `None` when the standard knows none.
            pub fn from_identifier(identifier: u32) -> Option<Property> {
                match identifier { $($id => Some(Property::$name),)* _ => None }
            }

            /// The standard's name.
            pub fn name(self) -> &'static str {
                match self { $(Property::$name => $text,)* }
            }
        }
    };
}

properties! {
    PayloadFormatIndicator = 0x01 "Payload Format Indicator",
    MessageExpiryInterval = 0x02 "Message Expiry Interval",
    ContentType = 0x03 "Content Type",
    ResponseTopic = 0x08 "Response Topic",
    CorrelationData = 0x09 "Correlation Data",
    SubscriptionIdentifier = 0x0B "Subscription Identifier",
    SessionExpiryInterval = 0x11 "Session Expiry Interval",
    AssignedClientIdentifier = 0x12 "Assigned Client Identifier",
    ServerKeepAlive = 0x13 "Server Keep Alive",
    AuthenticationMethod = 0x15 "Authentication Method",
    AuthenticationData = 0x16 "Authentication Data",
    RequestProblemInformation = 0x17 "Request Problem Information",
    WillDelayInterval = 0x18 "Will Delay Interval",
    RequestResponseInformation = 0x19 "Request Response Information",
    ResponseInformation = 0x1A "Response Information",
    ServerReference = 0x1C "Server Reference",
    ReasonString = 0x1F "Reason String",
    ReceiveMaximum = 0x21 "Receive Maximum",
    TopicAliasMaximum = 0x22 "Topic Alias Maximum",
    TopicAlias = 0x23 "Topic Alias",
    MaximumQoS = 0x24 "Maximum QoS",
    RetainAvailable = 0x25 "Retain Available",
    UserProperty = 0x26 "User Property",
    MaximumPacketSize = 0x27 "Maximum Packet Size",
    WildcardSubscriptionAvailable = 0x28 "Wildcard Subscription Available",
    SubscriptionIdentifiersAvailable = 0x29 "Subscription Identifiers Available",
    SharedSubscriptionAvailable = 0x2A "Shared Subscription Available",
}

impl std::fmt::Display for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
