//! CBOR as the Smithy RPC v2 protocol uses it, to and from JSON trees.
//!
//! Both directions know what JSON lacks: instants travel under tag 1. Coming in, the tag is dropped and the number
//! stays; going out, members whose name ends in `Timestamp` are instants, as all of CloudWatch's are.

use minicbor::data::{Tag, Type};
use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError};
use serde_json::{Map, Number, Value};

/// Deeper nesting than any real request has; a bound on recursion.
const MAX_DEPTH: usize = 32;
/// Seconds since the epoch.
const EPOCH_TAG: u64 = 1;

/// Reads one CBOR item.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let mut decoder = Decoder::new(bytes);
    item(&mut decoder, 0).map_err(|error| error.to_string())
}

fn item(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, DecodeError> {
    if depth > MAX_DEPTH {
        return Err(DecodeError::message("nested too deeply"));
    }
    match decoder.datatype()? {
        Type::Bool => decoder.bool().map(Value::Bool),
        Type::Null => decoder.null().map(|()| Value::Null),
        Type::Undefined => decoder.undefined().map(|()| Value::Null),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => decoder.u64().map(Value::from),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => decoder.i64().map(Value::from),
        Type::F16 => decoder.f16().map(|x| float(f64::from(x))),
        Type::F32 => decoder.f32().map(|x| float(f64::from(x))),
        Type::F64 => decoder.f64().map(float),
        Type::String | Type::StringIndef => {
            let parts: Result<Vec<&str>, _> = decoder.str_iter()?.collect();
            Ok(Value::String(parts?.concat()))
        }
        Type::Array | Type::ArrayIndef => array(decoder, depth),
        Type::Map | Type::MapIndef => map(decoder, depth),
        Type::Tag => {
            decoder.tag()?;
            item(decoder, depth + 1)
        }
        other => Err(DecodeError::message(format!("unexpected {other}"))),
    }
}

fn float(x: f64) -> Value {
    Number::from_f64(x).map_or(Value::Null, Value::Number)
}

/// Whether an array or map of unknown length ends here.
fn ends(decoder: &mut Decoder<'_>) -> Result<bool, DecodeError> {
    if decoder.datatype()? != Type::Break {
        return Ok(false);
    }
    decoder.skip()?;
    Ok(true)
}

fn array(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, DecodeError> {
    let mut list = Vec::new();
    match decoder.array()? {
        Some(length) => {
            for _ in 0..length {
                list.push(item(decoder, depth + 1)?);
            }
        }
        None => {
            while !ends(decoder)? {
                list.push(item(decoder, depth + 1)?);
            }
        }
    }
    Ok(Value::Array(list))
}

fn map(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, DecodeError> {
    let mut entries = Map::new();
    let mut entry = |decoder: &mut Decoder<'_>| -> Result<(), DecodeError> {
        let parts: Result<Vec<&str>, _> = decoder.str_iter()?.collect();
        let value = item(decoder, depth + 1)?;
        entries.insert(parts?.concat(), value);
        Ok(())
    };
    match decoder.map()? {
        Some(length) => {
            for _ in 0..length {
                entry(decoder)?;
            }
        }
        None => {
            while !ends(decoder)? {
                entry(decoder)?;
            }
        }
    }
    Ok(Value::Object(entries))
}

/// Writes one tree.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory can not fail.
    write(&mut Encoder::new(&mut bytes), value, false).unwrap_or_default();
    bytes
}

type Written = Result<(), EncodeError<std::convert::Infallible>>;

fn write(encoder: &mut Encoder<&mut Vec<u8>>, value: &Value, is_instant: bool) -> Written {
    match value {
        Value::Null => encoder.null()?.ok(),
        Value::Bool(b) => encoder.bool(*b)?.ok(),
        Value::Number(number) => {
            if is_instant {
                encoder.tag(Tag::new(EPOCH_TAG))?;
            }
            match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(n), _, _) => encoder.i64(n)?.ok(),
                (None, Some(n), _) => encoder.u64(n)?.ok(),
                (None, None, x) => encoder.f64(x.unwrap_or_default())?.ok(),
            }
        }
        Value::String(text) => encoder.str(text)?.ok(),
        Value::Array(list) => {
            encoder.array(u64::try_from(list.len()).unwrap_or(u64::MAX))?;
            list.iter()
                .try_for_each(|value| write(encoder, value, is_instant))
        }
        Value::Object(entries) => {
            encoder.map(u64::try_from(entries.len()).unwrap_or(u64::MAX))?;
            entries.iter().try_for_each(|(key, value)| {
                encoder.str(key)?;
                write(
                    encoder,
                    value,
                    key.ends_with("Timestamp") || key == "Timestamps",
                )
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn trees_come_back_as_they_went() {
        let tree = json!({
            "text": "ü", "n": -7, "big": 18_446_744_073_709_551_615_u64, "x": 0.1, "list": [1, null, true],
            "nested": {"a": {"b": []}},
        });
        assert_eq!(decode(&encode(&tree)).unwrap(), tree);
    }

    #[test]
    fn instants_are_tagged_on_the_way_out_and_bare_on_the_way_in() {
        let bytes = encode(&json!({"StateUpdatedTimestamp": 1.5}));
        assert!(bytes.contains(&0xC1), "tag 1");
        assert_eq!(
            decode(&bytes).unwrap(),
            json!({"StateUpdatedTimestamp": 1.5})
        );
    }

    #[test]
    fn indefinite_lengths_and_short_floats_are_read() {
        // {_ "a": [_ 1.5 (half), 2 ], "b": (_ "x", "y") }
        let bytes = [
            0xBF, 0x61, b'a', 0x9F, 0xF9, 0x3E, 0x00, 0x02, 0xFF, 0x61, b'b', 0x7F, 0x61, b'x',
            0x61, b'y', 0xFF, 0xFF,
        ];
        assert_eq!(decode(&bytes).unwrap(), json!({"a": [1.5, 2], "b": "xy"}));
    }

    #[test]
    fn junk_is_an_error_not_a_panic() {
        for junk in [
            &[][..],
            &[0xFF],
            &[0xA1, 0x61],
            &[0x9F; 100],
            &[0xBB, 0xFF, 0xFF, 0xFF],
        ] {
            assert!(decode(junk).is_err(), "{junk:?}");
        }
    }
}
