//! Tests of the JSON parser: what is valid, rubbish, depth, escapes, large numbers.

use crate::json::{Json, object};
use crate::json_reader::{Reader, parse};

#[track_caller]
fn written(text: &str) -> String {
    parse(text).unwrap().to_string()
}

#[test]
fn values_are_read_and_written() {
    let text = r#"{"a":[1,-2.5,true,false,null,{"b":"c"}],"d":{},"e":[]}"#;
    assert_eq!(written(text), text);
    assert_eq!(written(" {\t\"a\" : [ 1 , 2 ] } \r\n"), r#"{"a":[1,2]}"#);
    assert_eq!(parse("\"x\"").unwrap(), Json::from("x"));
}

#[test]
fn members_are_found_by_name_and_the_first_counts() {
    let value = parse(r#"{"a":1,"a":2,"b":"x","c":[3],"d":true}"#).unwrap();
    assert_eq!((value.get("a").u64(), value.get("b").text()), (Some(1), Some("x")));
    assert_eq!(value.get("c").list(), [Json::Whole(3)]);
    assert!(value.get("d").is_true());
    assert_eq!(value.get("missing").get("deeper"), &Json::Null);
    assert_eq!((value.get("b").u64(), value.get("a").text()), (None, None));
}

#[test]
fn rubbish_is_refused_with_its_position() {
    let rubbish = [
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "nul",
        "truth",
        "+1",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "--1",
        "0x10",
        "NaN",
        "Infinity",
        "\"",
        "\"a",
        "'a'",
        "1 2",
        "[1]]",
        "\"\n\"",
        "\"\u{1}\"",
        "\u{feff}1",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\u",
        "\"\\uD83D\\u\"",
        "\"\\u12é\"",
        "é",
    ];
    for text in rubbish {
        let error = parse(text).expect_err(text);
        assert!(error.starts_with("byte "), "{text}: {error}");
    }
    assert_eq!(parse("[1,x]").unwrap_err(), "byte 3 is not a value");
}

/// Cuts and changes a valid text everywhere: the parser returns, whatever it returns.
#[test]
fn no_rubbish_panics() {
    let text = r#"{"a":[1,-2.5e3,"é\u00e9\ud83d\ude00\n",{"b":null}],"c":true}"#;
    for (at, _) in text.char_indices() {
        let _ = parse(&text[..at]);
        let _ = parse(&text[at..]);
        for byte in ["\0", "\"", "\\", "{", "]", "9", "é", "u"] {
            let _ = parse(&format!("{}{byte}{}", &text[..at], &text[at..]));
        }
    }
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(&nested(32)).is_ok());
    assert_eq!(parse(&nested(33)).unwrap_err(), "byte 32 nests deeper than 32");
    assert!(parse(&"[".repeat(10_000_000)).is_err());
    assert!(parse(&"{\"a\":".repeat(1_000_000)).is_err());
    // Depth is that of nesting, not the number of lists.
    assert!(parse(&format!("[{}[]]", "[],".repeat(1000))).is_ok());
}

#[test]
fn escapes_are_read_and_written() {
    let read = |text: &str| parse(text).unwrap().owned().unwrap();
    assert_eq!(read(r#""\"\\\/\b\f\n\r\t""#), "\"\\/\u{8}\u{c}\n\r\t");
    assert_eq!(read(r#""a\u00e9\u20AC\ud83d\ude00z""#), "aé€😀z");
    assert_eq!(read(r#""\ud83d!""#), "\u{fffd}!", "half a pair");
    assert_eq!(read(r#""\ud83d\u0041\ude00""#), "\u{fffd}A\u{fffd}");
    let text = Json::from("a\"\\\n\u{1b}\u{9f}é").to_string();
    assert_eq!(text, "\"a\\\"\\\\\\n\\u001b\\u009fé\"");
    assert_eq!(read(&text), "a\"\\\n\u{1b}\u{9f}é");
}

#[test]
fn large_numbers_keep_their_digits() {
    assert_eq!(parse("18446744073709551615").unwrap().u64(), Some(u64::MAX));
    assert_eq!(parse("18446744073709551616").unwrap().u64(), None);
    assert_eq!(written("18446744073709551615"), "18446744073709551615");
    assert_eq!(parse("-1").unwrap().u64(), None);
    assert_eq!(parse("1e400").unwrap().f64(), Some(f64::INFINITY));
    assert_eq!(written("1e400"), "null");
    assert_eq!(parse(&"9".repeat(400)).unwrap().f64(), Some(f64::INFINITY));
    assert_eq!(
        (parse("-0.5e1").unwrap().f64(), parse("-0").unwrap().f64()),
        (Some(-5.0), Some(0.0))
    );
}

#[test]
fn objects_are_made() {
    let value = object([("a", Json::from(7)), ("b", Json::from(None::<u64>)), ("c", "x".into())]);
    assert_eq!(value.to_string(), r#"{"a":7,"b":null,"c":"x"}"#);
}

#[test]
fn members_are_read_one_by_one() {
    let text = r#"{"a":7,"b":"x\"y","c":{"d":[1]},"e":null}"#;
    let mut reader = Reader::new(text);
    let mut read = Vec::new();
    let members = reader.members(|reader, key| {
        read.push(match &*key {
            "a" | "e" => format!("{key} {:?}", reader.u64()?),
            "b" => format!("{key} {:?}", reader.owned()?),
            _ => format!("{key} {}", reader.value()?),
        });
        Ok(())
    });
    assert_eq!(members.and_then(|()| reader.end()), Ok(()));
    assert_eq!(read, ["a Some(7)", r#"b Some("x\"y")"#, r#"c {"d":[1]}"#, "e None"]);
    let mut unread = |_: &mut Reader<'_>, _| panic!("a list has no members");
    assert_eq!(Reader::new("[1]").members(&mut unread), Ok(()));
    assert!(Reader::new("[1").members(unread).is_err());
}
