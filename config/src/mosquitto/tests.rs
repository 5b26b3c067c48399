use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::error::ConfigError;
use crate::resolve::resolve;
use crate::resolved::{
    CertificateUsername, Config, Durability, LogTimestamp, SocketDomain, TlsVersion,
};

fn try_read(text: &str) -> Result<Config, Vec<ConfigError>> {
    let mut draft = Draft::default();
    let mut nothing = |_: &Path| Ok(Vec::new());
    parse(&mut draft, Path::new("m.conf"), text.as_bytes(), &mut nothing);
    resolve(draft, &[], false)
}

fn read(text: &str) -> Config {
    try_read(text).unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

fn errors(text: &str) -> String {
    lines(&try_read(text).err().expect("a mistake"))
}

fn lines(errors: &[ConfigError]) -> String {
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn notices(config: &Config) -> Vec<String> {
    config.notices.iter().map(ToString::to_string).collect()
}

/// The names of the reference, section by section.
const REFERENCE: &str = "
    per_listener_settings include_dir user pid_file allow_duplicate_messages check_retain_source
    clientid_prefixes connection_messages enable_control_api global_max_clients
    global_max_connections max_inflight_bytes max_inflight_messages max_keepalive max_packet_size
    max_queued_bytes max_queued_messages memory_limit message_size_limit packet_buffer_size
    websockets_headers_size persistent_client_expiration queue_qos0_messages retain_available
    retain_expiry_interval retry_interval set_tcp_nodelay sys_interval upgrade_outgoing_qos
    listener port bind_address bind_interface protocol http_dir max_connections max_qos maximum_qos
    max_topic_alias max_topic_alias_broker mount_point socket_domain accept_protocol_versions
    enable_proxy_protocol proxy_protocol_v2_require_tls listener_allow_anonymous
    listener_auto_id_prefix use_username_as_clientid websockets_log_level websockets_origin
    allow_anonymous password_file acl_file psk_file allow_zero_length_clientid auto_id_prefix
    plugin auth_plugin global_plugin plugin_load plugin_use plugin_opt_* auth_opt_*
    auth_plugin_deny_special_chars
    cafile capath certfile keyfile require_certificate use_identity_as_username
    use_subject_as_username crlfile tls_version ciphers ciphers_tls1.3 dhparamfile
    disable_client_cert_date_checks psk_hint tls_engine tls_engine_kpass_sha1 tls_keyform
    persistence persistence_location persistence_file autosave_interval autosave_on_changes
    log_dest log_type log_timestamp log_timestamp_format log_facility
    connection address addresses topic remote_username username remote_password password
    remote_clientid clientid local_clientid local_username local_password cleansession
    local_cleansession keepalive_interval idle_timeout restart_timeout round_robin start_type
    threshold try_private notifications notifications_local_only notification_topic
    bridge_protocol_version bridge_cafile bridge_capath bridge_certfile bridge_keyfile
    bridge_insecure bridge_identity bridge_psk bridge_alpn bridge_require_ocsp bridge_tls_version
    bridge_tls_use_os_certs bridge_ciphers bridge_ciphers_tls1.3 bridge_attempt_unsubscribe
    bridge_bind_address bridge_max_packet_size bridge_max_topic_alias bridge_outgoing_retain
    bridge_receive_maximum bridge_session_expiry_interval bridge_reload_type bridge_tcp_keepalive
    bridge_tcp_user_timeout";

#[test]
fn the_table_has_every_directive_of_mosquitto_once_and_one_of_ours() {
    let mut reference: Vec<&str> = REFERENCE.split_ascii_whitespace().collect();
    reference.push("acl_deny_subscribe");
    reference.sort_unstable();
    let mut table: Vec<&str> = DIRECTIVES.iter().map(|row| row.name).collect();
    table.sort_unstable();
    assert_eq!(table, reference);
}

#[test]
fn every_directive_of_the_table_is_read_without_a_hole_in_the_code() {
    for row in DIRECTIVES {
        let name = row.name.replace('*', "x");
        for value in ["", "true", "1", "text", "file x", "10d", "1883 host", "error", "/d"] {
            let mut draft = Draft::default();
            let text = format!("connection c\nlistener 1\n{name} {value}\n");
            parse(&mut draft, Path::new("f"), text.as_bytes(), &mut |_| Ok(Vec::new()));
            let unknown = draft.errors.iter().any(|error| error.message.contains("unknown"));
            assert!(!unknown, "{name} {value}");
        }
    }
}

#[test]
fn every_setting_with_a_directive_is_in_the_table_as_a_setting() {
    let settings = BROKER
        .iter()
        .filter_map(|row| row.directive)
        .chain(LIMITS.iter().filter_map(|row| row.directive))
        .chain(PERSISTENCE.iter().filter_map(|row| row.directive))
        .chain(LOG.iter().filter_map(|row| row.directive))
        .chain(AUTHENTICATION.iter().filter_map(|row| row.directive))
        .chain(LISTENER.iter().filter_map(|row| row.directive));
    let mut count = 0;
    for name in settings {
        let directive = Directive::named(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(directive.support, Support::Setting, "{name}");
        count += 1;
    }
    let table = DIRECTIVES.iter().filter(|row| row.support == Support::Setting).count();
    assert_eq!(count, table);
}

#[test]
fn the_file_of_the_walkthrough_is_read_with_its_indentation() {
    let config = read(
        "  listener 1883 localhost\n  persistence true\n  persistence_location /var/lib/mosquitto/\n  \
         persistence_file mosquitto.db\n  log_dest syslog\n  log_dest stdout\n  log_dest topic\n  \
         log_type error\n  log_type warning\n  log_type notice\n  log_type information\n  \
         connection_messages true\n  log_timestamp true\n  allow_anonymous true\n  \
         password_file /etc/mosquitto/pwfile\n  acl_file /etc/mosquitto/aclfile\n",
    );
    let [listener] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!(listener.bind, BindAddress::Host("localhost".to_owned()));
    assert_eq!(listener.port, 1883);
    assert!(listener.authentication.allow_anonymous);
    let files = &listener.authentication;
    assert_eq!(files.password_file.as_deref(), Some(Path::new("/etc/mosquitto/pwfile")));
    assert_eq!(files.acl_file.as_deref(), Some(Path::new("/etc/mosquitto/aclfile")));
    let persistence = config.persistence.as_ref().expect("persistence");
    assert_eq!(persistence.journal(), Path::new("/var/lib/mosquitto/midge-store"));
    assert_eq!(persistence.import.as_deref(), Some(Path::new("/var/lib/mosquitto/mosquitto.db")));
    assert_eq!(persistence.durability, Durability::Fsync);
    assert_eq!(
        config.log.destinations,
        [LogDestination::Syslog, LogDestination::Stdout, LogDestination::Topic]
    );
    assert_eq!(config.log.types, LogTypes::default());
    assert_eq!(config.log.timestamp, LogTimestamp::Unix);
    assert_eq!(notices(&config), [""; 0]);
}

#[test]
fn no_listener_means_loopback_with_anonymous_clients() {
    let config = read("max_inflight_messages 5\nmax_connections 3\n");
    let [listener] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!((&listener.bind, listener.port), (&BindAddress::Loopback, 1883));
    assert!(listener.authentication.allow_anonymous);
    // What stands before any listener is the default listener's.
    assert_eq!(listener.max_connections, Some(3));
    let config = read("allow_anonymous false\n");
    assert!(!config.listeners[0].authentication.allow_anonymous);
}

#[test]
fn a_listener_without_authentication_refuses_anonymous_clients() {
    let config = read("listener 1883\n");
    assert_eq!(config.listeners[0].bind, BindAddress::Any);
    assert!(!config.listeners[0].authentication.allow_anonymous);
    assert_eq!(
        notices(&config),
        [
            "m.conf:1: nobody can connect to listener 1883: allow_anonymous is false and there is no \
          password_file"
        ]
    );
    let config = read("port 1884\nbind_address 10.0.0.1\n");
    assert_eq!(config.listeners[0].bind, BindAddress::Host("10.0.0.1".to_owned()));
    assert_eq!(config.listeners[0].port, 1884);
    assert!(!config.listeners[0].authentication.allow_anonymous);
}

#[test]
fn shared_authentication_holds_for_every_listener_wherever_it_stands() {
    let config = read("listener 1\npassword_file /p\nlistener 2\nacl_file /a\n");
    for listener in &config.listeners {
        assert_eq!(listener.authentication.password_file.as_deref(), Some(Path::new("/p")));
        assert_eq!(listener.authentication.acl_file.as_deref(), Some(Path::new("/a")));
    }
}

#[test]
fn per_listener_settings_keep_authentication_apart() {
    let config = read(
        "per_listener_settings true\nlistener 1\npassword_file /one\nlistener 2\nallow_anonymous \
         true\nauto_id_prefix two-\n",
    );
    let [one, two] = &config.listeners[..] else { panic!("two listeners") };
    assert_eq!(one.authentication.password_file.as_deref(), Some(Path::new("/one")));
    assert!(!one.authentication.allow_anonymous);
    assert_eq!(two.authentication.password_file, None);
    assert!(two.authentication.allow_anonymous);
    assert_eq!(two.authentication.auto_id_prefix, "two-");
    assert_eq!(
        errors("allow_anonymous true\nper_listener_settings true\n"),
        "m.conf:2: per_listener_settings: must stand before the settings it is about; one of them \
         stands at m.conf:1\n"
    );
}

#[test]
fn listener_allow_anonymous_wins_over_the_shared_setting() {
    let config = read(
        "allow_anonymous true\nlistener 1\nlistener_allow_anonymous false\nlistener 2\n\
         listener_auto_id_prefix x\n",
    );
    assert!(!config.listeners[0].authentication.allow_anonymous);
    assert!(config.listeners[1].authentication.allow_anonymous);
    assert_eq!(config.listeners[1].authentication.auto_id_prefix, "x");
}

#[test]
fn a_tls_listener_has_all_its_settings() {
    let config = read(
        "listener 8883\ncafile /ca.pem\ncertfile /c.pem\nkeyfile /k.pem\nrequire_certificate \
         true\nuse_identity_as_username true\ntls_version tlsv1.3\nsocket_domain ipv6\n\
         max_connections 10\nmaximum_qos 1\nmax_topic_alias 0x10\nmax_topic_alias_broker 010\n",
    );
    let listener = &config.listeners[0];
    let tls = listener.tls.as_ref().expect("TLS");
    assert_eq!(tls.cafile.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!(tls.certfile, Path::new("/c.pem"));
    assert_eq!(tls.keyfile, Path::new("/k.pem"));
    assert!(tls.require_certificate);
    assert_eq!(tls.username, Some(CertificateUsername::CommonName));
    assert_eq!(tls.minimum_version, TlsVersion::V1_3);
    assert_eq!(listener.socket_domain, Some(SocketDomain::Ipv6));
    assert_eq!(listener.max_connections, Some(10));
    assert_eq!(listener.max_qos, 1);
    assert_eq!((listener.max_topic_alias, listener.max_topic_alias_broker), (16, 8));
}

#[test]
fn half_a_tls_setup_never_becomes_a_plain_listener() {
    assert_eq!(
        errors("listener 1\ncertfile /c\nlistener 2\nkeyfile /k\nlistener 3\ncafile /ca\n"),
        "m.conf:2: certfile: found without keyfile, expected both in listener 1\n\
         m.conf:4: keyfile: found without certfile, expected both in listener 2\n\
         m.conf:6: cafile: found without certfile and keyfile, expected all three in listener 3\n"
    );
    assert_eq!(
        errors("listener 1\ncertfile /c\nkeyfile /k\nrequire_certificate true\n"),
        "m.conf:4: require_certificate: found true, expected a cafile beside it\n"
    );
    assert_eq!(
        errors("listener 1\ncertfile /c\nkeyfile /k\nuse_subject_as_username true\n"),
        "m.conf:4: use_subject_as_username: found true, expected require_certificate true beside \
         it in listener 1\n"
    );
}

#[test]
fn limits_are_taken_and_zero_lifts_them() {
    let config = read(
        "global_max_connections 7\nmax_packet_size 1000\nmessage_size_limit 500\n\
         max_inflight_messages 0\nmax_inflight_bytes 9\nmax_queued_messages 0\nmax_queued_bytes \
         8\nqueue_qos0_messages true\nmax_keepalive 60\npersistent_client_expiration 2w\n\
         retain_available false\nmemory_limit 2000000\n",
    );
    let limits = &config.limits;
    assert_eq!(limits.max_connections, Some(7));
    assert_eq!(limits.max_packet_size, 1000);
    assert_eq!(limits.max_connect_size, 1000);
    assert_eq!(limits.message_size_limit, Some(500));
    assert_eq!(limits.max_inflight_messages, u16::MAX);
    assert_eq!(limits.max_inflight_bytes, Some(9));
    assert_eq!(limits.max_queued_messages, None);
    assert_eq!(limits.max_queued_bytes, Some(8));
    assert!(limits.queue_qos0_messages);
    assert_eq!(limits.max_keepalive, Some(60));
    assert_eq!(limits.persistent_client_expiration, Some(Duration::from_secs(14 * 86_400)));
    assert!(!limits.retain_available);
    assert_eq!(limits.memory_limit, 2_000_000);
    assert!(limits.password_threads >= 1);
    assert_eq!(read("").limits.max_queued_messages, Some(1000));
    assert_eq!(read("").limits.max_inflight_messages, 20);
}

#[test]
fn autosave_asks_for_less_than_persistence_does() {
    let config = read("persistence true\nautosave_interval 60\nautosave_on_changes true\n");
    assert!(config.persistence.is_some());
    assert_eq!(
        notices(&config),
        [
            "m.conf:2: ignored: autosave_interval: with persistence every change is on disk before \
             it is acknowledged",
            "m.conf:3: ignored: autosave_on_changes: with persistence every change is on disk \
             before it is acknowledged",
        ]
    );
    let config = read("persistence false\npersistence_location /var/lib/mosquitto/\n");
    assert_eq!(config.persistence, None);
    assert_eq!(notices(&config), ["m.conf:2: ignored: persistence.directory: persistence is off"]);
}

#[test]
fn settings_of_the_process_are_taken() {
    let config = read(
        "user midge\npid_file /run/m.pid\nsys_interval 0\nconnection_messages false\n\
         set_tcp_nodelay false\nlog_timestamp_format %H:%M\nlog_dest file /var/log/m x.log\n\
         log_type all\n",
    );
    assert_eq!(config.user.as_deref(), Some("midge"));
    assert_eq!(config.pid_file.as_deref(), Some(Path::new("/run/m.pid")));
    assert_eq!(config.sys_interval, None);
    assert!(!config.connection_messages);
    assert!(!config.set_tcp_nodelay);
    assert!(config.workers >= 1);
    assert_eq!(config.log.timestamp, LogTimestamp::Format("%H:%M".to_owned()));
    assert_eq!(config.log.destinations, [LogDestination::File("/var/log/m x.log".into())]);
    assert_eq!(config.log.types, LogTypes::ALL);
    let config = read("log_timestamp false\nlog_dest none\nlog_type none\nsys_interval 0x14\n");
    assert_eq!(config.log.timestamp, LogTimestamp::None);
    assert!(config.log.destinations.is_empty());
    assert_eq!(config.log.types, LogTypes::NONE);
    assert_eq!(config.sys_interval, Some(Duration::from_secs(20)));
}

#[test]
fn what_is_not_supported_yet_is_accepted_with_a_line_each() {
    let config = read(
        "listener 1883\nallow_anonymous true\nretain_expiry_interval 5d\nciphers ALL\nconnection \
         up\naddress a:1883\nremote_password secret\ntopic # out\nlistener 9001\nprotocol \
         websockets\nlistener 0 /run/m.sock\nlistener 8884\nmount_point a/\nuse_username_as_clientid true\n",
    );
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(
        notices(&config),
        [
            "m.conf:3: not supported yet: retain_expiry_interval",
            "m.conf:4: ignored: ciphers: the cipher suites of rustls are all strong and are \
             always on",
            "m.conf:5: not supported yet: connection \"up\" and the lines of its block",
            "m.conf:9: not supported yet: protocol websockets (listener 9001 is not opened)",
            "m.conf:11: not supported yet: unix sockets (listener 0 /run/m.sock is not opened)",
            "m.conf:12: not supported yet: mount_point (listener 8884 is not opened)",
        ]
    );
}

#[test]
fn a_plugin_that_is_not_there_never_opens_a_listener_to_everybody() {
    let text = "listener 1883\nplugin /usr/lib/dynsec.so\nplugin_opt_config_file /x\n";
    assert_eq!(
        errors(text),
        "configuration: no listener is left to open: m.conf:1: not supported yet: plugin without \
         password_file and acl_file in its place (listener 1883 is not opened)\n"
    );
    let config = read(&format!("{text}password_file /p\nacl_file /a\n"));
    assert_eq!(config.listeners.len(), 1);
    assert!(notices(&config)[0].contains("not supported yet: plugin"));
}

#[test]
fn listener_settings_before_the_first_listener_are_not_dropped_in_silence() {
    let config = read("max_connections 5\nlistener 1883\nallow_anonymous true\n");
    assert_eq!(config.listeners[0].max_connections, None);
    assert_eq!(
        notices(&config),
        ["m.conf:1: ignored: max_connections: before the first listener, and neither port nor \
          bind_address opens one there"]
    );
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let text = "listener 99999\nlistener 0\nlistener 1883 # all addresses\nallow_anonymous maybe\n\
                pasword_file /p\npassword_file /one\npassword_file /two\nmax_inflight_messages \
                70000\nmax_packet_size big\nlog_type loud\nlog_dest nowhere\nprotocol \
                http\npersistent_client_expiration 10\nuser\nsocket_domain ipx\nremote_password \
                hunter2\nclientid_prefixes a\n#a comment\n#\n\t\nmax_keepalive 09\nport 0\n";
    let expected = "\
m.conf:1: listener: found \"99999\", expected a port from 1 to 65535
m.conf:2: listener: found port 0, expected the path of a unix socket after it
m.conf:4: allow_anonymous: found \"maybe\", expected true or false
m.conf:5: pasword_file: unknown directive, did you mean password_file?
m.conf:7: password_file: found a second time, expected once; the first stands at m.conf:6
m.conf:8: max_inflight_messages: found \"70000\", expected a whole number from 0 to 65535
m.conf:9: max_packet_size: found \"big\", expected a whole number from 0 to 268435460
m.conf:10: log_type: found \"loud\", expected one of error, warning, notice, information, \
subscribe, unsubscribe, websockets, debug, none, all
m.conf:11: log_dest: found \"nowhere\", expected one of stdout, stderr, syslog, topic, file PATH, \
none
m.conf:12: protocol: found \"http\", expected one of mqtt, websockets, http_api
m.conf:13: persistent_client_expiration: found \"10\", expected a number followed by h, d, w, m or y
m.conf:14: user: found nothing, expected text that is not empty
m.conf:15: socket_domain: found \"ipx\", expected one of ipv4, ipv6
m.conf:16: remote_password: belongs to a connection, and no connection line stands above it
m.conf:17: clientid_prefixes: not supported yet, and without it every client id would be let in
m.conf:21: max_keepalive: found \"09\", expected a whole number from 0 to 65535
m.conf:22: port: found \"0\", expected a port from 1 to 65535
";
    assert_eq!(errors(text), expected);
}

#[test]
fn a_trailing_remark_is_part_of_text_and_not_of_a_number() {
    let config = read(
        "listener 1883 0.0.0.0 # all\nmax_queued_messages 5 # few\nuser a # b\r\nallow_anonymous true\n",
    );
    assert_eq!(config.listeners[0].bind, BindAddress::Host("0.0.0.0".to_owned()));
    assert_eq!(config.limits.max_queued_messages, Some(5));
    assert_eq!(config.user.as_deref(), Some("a # b"));
    assert_eq!(
        notices(&config),
        ["m.conf:3: user: the text from # on is part of the value, as in Mosquitto"]
    );
}

#[test]
fn two_listeners_on_one_address_are_a_mistake() {
    assert_eq!(
        errors("listener 1883\nlistener 1883\n"),
        "m.conf:2: listener 1883: found port 1883 again, the same as at m.conf:1\n"
    );
}

#[test]
fn included_files_begin_without_a_listener_and_include_no_further() {
    let mut draft = Draft::default();
    let text = b"listener 1883\ninclude_dir /d\nmax_connections 4\n";
    let mut include = |directory: &Path| {
        assert_eq!(directory, Path::new("/d"));
        let one = b"listener 8883\nmax_connections 7\nallow_anonymous true\n".to_vec();
        let two = b"include_dir /d\nmax_connections x\n".to_vec();
        Ok(vec![("/d/1.conf".into(), one), ("/d/2.conf".into(), two)])
    };
    parse(&mut draft, Path::new("m.conf"), text, &mut include);
    assert_eq!(
        lines(&draft.errors),
        "/d/2.conf:2: max_connections: found \"x\", expected a whole \
                                      number from -1 to 100000000\n"
    );
    let ports: Vec<_> = draft.listeners.iter().map(|l| (l.port, l.max_connections)).collect();
    assert_eq!(ports, [(1883, Some(4)), (8883, Some(7))]);
    assert_eq!(
        draft.notices[0].to_string(),
        "/d/2.conf:1: ignored: include_dir: only the main file includes others"
    );
    assert_eq!(draft.files.len(), 3);
}

#[test]
fn included_files_come_by_letter_upper_case_first() {
    let mut names = ["b.conf", "A.conf", "01.conf", "a.conf", "B.conf", "00.conf"];
    names.sort_by_key(|name| include_order(name));
    assert_eq!(names, ["00.conf", "01.conf", "A.conf", "a.conf", "B.conf", "b.conf"]);
}

#[test]
fn bytes_that_are_not_text_are_a_mistake_of_their_line_unless_it_is_a_comment() {
    let mut draft = Draft::default();
    let text = b"\xef\xbb\xbflistener 1883\n# \xff\nuser \xfe\n";
    parse(&mut draft, Path::new("m.conf"), text, &mut |_| Ok(Vec::new()));
    assert_eq!(lines(&draft.errors), "m.conf:3: found bytes that are not UTF-8\n");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut draft = Draft::default();
        parse(&mut draft, Path::new("f"), &bytes, &mut |_| Ok(Vec::new()));
        let _ = resolve(draft, &[], true);
    }

    #[test]
    fn any_directive_with_any_value_is_read_without_a_panic(
        text in proptest::collection::vec((0..DIRECTIVES.len(), ".{0,20}"), 0..12),
    ) {
        let text: String = text
            .iter()
            .map(|(row, value)| format!("{} {value}\n", DIRECTIVES[*row].name))
            .collect();
        let mut draft = Draft::default();
        parse(&mut draft, Path::new("f"), text.as_bytes(), &mut |_| Ok(Vec::new()));
        let _ = resolve(draft, &[1884], false);
    }
}
