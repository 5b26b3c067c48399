//! The settings of `[connect]`: Kafka Connect's REST interface and a worker's own properties.

use super::{Setting, Take};
use crate::draft::ConnectDraft;

pub(crate) static CONNECT: &[Setting<ConnectDraft>] = &[
    Setting {
        key: "rest_listen",
        directive: None,
        default: "none: no REST interface",
        meaning: "Where Kafka Connect's REST interface listens, `ADDRESS:PORT`; Connect's own is \
                  `127.0.0.1:8083`. Beyond loopback it needs `rest_token`, or `rest_user` and \
                  `rest_password`.",
        take: Take::Text(|connect, address| connect.rest_listen = Some(address)),
    },
    Setting {
        key: "rest_token",
        directive: None,
        default: "none",
        meaning: "Who speaks to it shows this: `Authorization: Bearer TOKEN`.",
        take: Take::Secret(|connect, token| connect.rest_token = Some(token)),
    },
    Setting {
        key: "rest_user",
        directive: None,
        default: "none",
        meaning: "Who speaks to it shows this name and `rest_password`: `Authorization: Basic`.",
        take: Take::Text(|connect, user| connect.rest_user = Some(user)),
    },
    Setting {
        key: "rest_password",
        directive: None,
        default: "none",
        meaning: "The password of `rest_user`.",
        take: Take::Secret(|connect, password| connect.rest_password = Some(password)),
    },
    Setting {
        key: "worker_properties",
        directive: None,
        default: "none",
        meaning: "The property file of a Connect worker (`connect-standalone.properties` or \
                  `connect-distributed.properties`): its converters are defaults of all \
                  connectors by class. Its `listeners`, or `rest.host.name` and `rest.port`, are \
                  `rest_listen`, and its `bootstrap.servers` is that of `[kafka]`, where these say \
                  nothing. With `group.id` the process shares connectors with others.",
        take: Take::Text(|connect, path| connect.worker_properties = Some(path.into())),
    },
];
