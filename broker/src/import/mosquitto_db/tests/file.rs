//! A database written by hand, chunk by chunk, in either version.

pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    version: u32,
    /// Of 32-bit x86, which pads less.
    pub(super) unpadded: bool,
    /// Of a big endian machine.
    pub(super) big_endian: bool,
}

/// What a client message chunk says about itself.
#[derive(Clone, Copy)]
pub(super) struct Message {
    pub(super) store_id: u64,
    pub(super) packet_id: u16,
    pub(super) qos: u8,
    pub(super) state: u8,
    pub(super) retain_and_dup: u8,
    pub(super) direction: u8,
}

impl File {
    pub(super) fn new(version: u32) -> File {
        let mut bytes = b"\x00\xb5\x00mosquitto db\0\0\0\0".to_vec();
        bytes.extend(version.to_be_bytes());
        File { bytes, version, unpadded: false, big_endian: false }
    }

    fn native(&self, number: u64) -> [u8; 8] {
        if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub(super) fn chunk(&mut self, kind: u32, parts: &[&[u8]]) {
        let body = parts.concat();
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend((body.len() as u32).to_be_bytes());
        self.bytes.extend(body);
    }

    pub(super) fn configuration(&mut self) {
        let padding: &[u8] = if self.unpadded { &[0; 2] } else { &[0; 6] };
        let last_store_id = self.native(9);
        self.chunk(1, &[&last_store_id, &[1, 8], padding]);
    }

    pub(super) fn message(
        &mut self,
        (store_id, expiry_time): (u64, u64),
        (qos, retain): (u8, u8),
        topic: &str,
        payload: &[u8],
        properties: &[u8],
    ) {
        let (store_id, expiry_time) = (self.native(store_id), self.native(expiry_time));
        let (source, username) = ("sensor", "joe");
        let fixed = [
            &store_id[..],
            &expiry_time,
            &(payload.len() as u32).to_be_bytes(),
            &77_u16.to_be_bytes(),
            &(source.len() as u16).to_be_bytes(),
            &(username.len() as u16).to_be_bytes(),
            &(topic.len() as u16).to_be_bytes(),
            &8883_u16.to_be_bytes(),
            &[qos, retain],
        ]
        .concat();
        let texts = [source, username, topic].concat();
        self.chunk(2, &[&fixed, texts.as_bytes(), payload, properties]);
    }

    pub(super) fn client(&mut self, client_id: &str, expiry: (u64, u32), username: &[u8]) {
        let expires_at = self.native(expiry.0);
        let fixed = [
            &expires_at[..],
            &expiry.1.to_be_bytes(),
            &321_u16.to_be_bytes(),
            &(client_id.len() as u16).to_be_bytes(),
        ]
        .concat();
        let padding: &[u8] = if self.unpadded { &[] } else { &[0; 4] };
        let more = [&1883_u16.to_be_bytes()[..], &(username.len() as u16).to_be_bytes(), padding];
        let (more, username) =
            if self.version >= 6 { (more.concat(), username) } else { (Vec::new(), &[][..]) };
        self.chunk(6, &[&fixed, &more, client_id.as_bytes(), username]);
    }

    pub(super) fn client_message(&mut self, client_id: &str, message: Message, properties: &[u8]) {
        let store_id = self.native(message.store_id);
        let fixed = [
            &store_id[..],
            &message.packet_id.to_be_bytes(),
            &(client_id.len() as u16).to_be_bytes(),
            &[message.qos, message.state, message.retain_and_dup, message.direction],
        ]
        .concat();
        self.chunk(3, &[&fixed, client_id.as_bytes(), properties]);
    }

    pub(super) fn retained(&mut self, store_id: u64) {
        let store_id = self.native(store_id);
        self.chunk(4, &[&store_id]);
    }

    pub(super) fn subscription(
        &mut self,
        client_id: &str,
        filter: &str,
        (qos, options, identifier): (u8, u8, u32),
    ) {
        let fixed = [
            &identifier.to_be_bytes()[..],
            &(client_id.len() as u16).to_be_bytes(),
            &(filter.len() as u16).to_be_bytes(),
            &[qos, options, 0, 0],
        ]
        .concat();
        self.chunk(5, &[&fixed, client_id.as_bytes(), filter.as_bytes()]);
    }
}
