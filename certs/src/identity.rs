//! A user name out of a client certificate: its common name, or its whole subject.
//!
//! Only a certificate that the handshake has already verified may be asked. A name that could be
//! read in two ways (a NUL inside, bytes that are not UTF-8) is refused, never repaired.

use std::fmt::Write;

use x509_parser::der_parser::asn1_rs::{Any, Tag, ToDer};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::AttributeTypeAndValue;

use crate::IdentityError;

/// The first common name of the subject, for `use_identity_as_username`.
pub fn common_name(certificate: &[u8]) -> Result<String, IdentityError> {
    const WHAT: &str = "common name";
    let certificate = parse(certificate)?;
    let attribute =
        certificate.subject().iter_common_name().next().ok_or(IdentityError::Missing(WHAT))?;
    let name = text(attribute, WHAT)?;
    if name.is_empty() { Err(IdentityError::Missing(WHAT)) } else { Ok(name.to_owned()) }
}

/// The whole subject as RFC 2253 writes it, for `use_subject_as_username`: the last part first, as
/// in `CN=meter-7,OU=plant,O=Example`, special characters escaped as OpenSSL does.
pub fn subject(certificate: &[u8]) -> Result<String, IdentityError> {
    const WHAT: &str = "subject";
    let certificate = parse(certificate)?;
    let mut out = String::new();
    let parts: Vec<_> = certificate.subject().iter().collect();
    for (index, part) in parts.iter().rev().enumerate() {
        if index > 0 {
            out.push(',');
        }
        // OpenSSL walks the whole subject backwards, inside a part of several attributes too.
        let attributes: Vec<_> = part.iter().collect();
        for (index, attribute) in attributes.into_iter().rev().enumerate() {
            if index > 0 {
                out.push('+');
            }
            write_attribute(&mut out, attribute, WHAT)?;
        }
    }
    if out.is_empty() { Err(IdentityError::Missing(WHAT)) } else { Ok(out) }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, IdentityError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(IdentityError::BadEncoding),
    }
}

/// The value's own bytes, which for every string type in use are UTF-8 or a part of it.
fn text<'a>(
    attribute: &'a AttributeTypeAndValue<'_>,
    what: &'static str,
) -> Result<&'a str, IdentityError> {
    let bytes = attribute.attr_value().data;
    if bytes.contains(&0) {
        return Err(IdentityError::Nul(what));
    }
    std::str::from_utf8(bytes).map_err(|_| IdentityError::NotUtf8(what))
}

fn write_attribute(
    out: &mut String,
    attribute: &AttributeTypeAndValue<'_>,
    what: &'static str,
) -> Result<(), IdentityError> {
    let oid = attribute.attr_type().to_id_string();
    let value = attribute.attr_value();
    match SHORT_NAMES.iter().find(|(known, _)| *known == oid) {
        Some((_, name)) if is_text(value) => {
            out.push_str(name);
            out.push('=');
            escape(out, text(attribute, what)?);
        }
        known => {
            // RFC 2253, 2.4: what has no name, or is no string, is its DER in hexadecimal.
            let name = known.map_or(oid.as_str(), |(_, name)| *name);
            let der = value.to_der_vec().map_err(|_| IdentityError::BadEncoding)?;
            write!(out, "{name}=#").expect("a String takes everything");
            for byte in der {
                write!(out, "{byte:02X}").expect("a String takes everything");
            }
        }
    }
    Ok(())
}

fn is_text(value: &Any<'_>) -> bool {
    matches!(
        value.tag(),
        Tag::Utf8String
            | Tag::PrintableString
            | Tag::Ia5String
            | Tag::NumericString
            | Tag::VisibleString
            | Tag::T61String
            | Tag::BmpString
            | Tag::UniversalString
    )
}

/// RFC 2253, 2.4, with control and non-ASCII bytes as `\XX`.
fn escape(out: &mut String, value: &str) {
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b' ' if index == 0 || index == last => out.push_str("\\ "),
            b'#' if index == 0 => out.push_str("\\#"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => write!(out, "\\{byte:02X}").expect("a String takes everything"),
        }
    }
}

/// Attribute types by the short names OpenSSL gives them, which is what existing ACL files contain.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
];
