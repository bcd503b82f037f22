//! Lines for the judge: an answer for each, in JSON; and whoever is called left has no better case.

use entente_cli::fuzzing::judge_lines;
use serde_json::Value;

fn lines(bytes: &[u8]) -> Vec<Value> {
    let answers = judge_lines(bytes);
    answers
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice(line).expect("an answer is JSON"))
        .collect()
}

/// Looks at one input.
pub fn run(bytes: &[u8]) {
    let given: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let answers = lines(bytes);
    assert_eq!(answers.len(), given.len(), "an answer for each line");
    for (line, answer) in given.iter().zip(&answers) {
        let Some(winner) = answer["winner"].as_str() else {
            assert!(answer["error"].is_string() && answer["line"].is_u64(), "{answer}");
            continue;
        };
        assert!(answer["reason"].is_string(), "{answer}");
        let Ok(Value::Object(mut turned)) = serde_json::from_slice::<Value>(line) else { continue };
        // Fuzzy asks for the left side first where the evidence contradicts itself.
        if turned.get("mode").is_some_and(|mode| mode == "fuzzy") {
            continue;
        }
        let (left, right) = (turned["left"].take(), turned["right"].take());
        turned["left"] = right;
        turned["right"] = left;
        let other = lines(Value::Object(turned).to_string().as_bytes()).remove(0);
        let expected = match winner {
            "left" => "right",
            "right" => "left",
            same => same,
        };
        assert_eq!(other["winner"], expected, "{}", String::from_utf8_lossy(line));
    }
}
