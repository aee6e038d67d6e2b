//! Simple metric math: arithmetic, comparison, and the functions that scaling uses.

use std::collections::BTreeMap;

use super::time::{Instant, Span};

/// The value of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// One number.
    Scalar(f64),
    /// Points in time.
    Series(BTreeMap<Instant, f64>),
    /// Several series, as `METRICS()` gives.
    List(Vec<BTreeMap<Instant, f64>>),
}

/// The period grid on which missing points are filled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) start: Instant,
    pub(crate) end: Instant,
    pub(crate) period: Span,
}

impl Grid {
    /// The starts of all periods in the window; never more than CloudWatch would return.
    fn instants(self) -> impl Iterator<Item = Instant> {
        let mut at = self.start;
        std::iter::from_fn(move || {
            let now = at;
            at += self.period;
            (now < self.end && self.period > Span::ZERO).then_some(now)
        })
        .take(100_800)
    }
}

/// What went wrong with an expression, in words.
pub(crate) type MathError = String;

/// Evaluates `expression`, taking other queries by id from `known`.
pub(crate) fn evaluate(
    expression: &str,
    known: &BTreeMap<String, Value>,
    grid: Grid,
) -> Result<Value, MathError> {
    let tokens = tokenize(expression)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        known,
        grid,
        depth: 0,
    };
    let value = parser.expression(0)?;
    match parser.peek() {
        None => Ok(value),
        Some(token) => Err(format!("unexpected {token:?} after the expression")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Word(String),
    Text(String),
    Operator(&'static str),
    Open,
    Close,
    Comma,
}

/// Binary operators with their binding strength; longer ones first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, u8); 13] = [
    ("&&", 2),
    ("||", 1),
    (">=", 3),
    ("<=", 3),
    ("==", 3),
    ("!=", 3),
    (">", 3),
    ("<", 3),
    ("+", 4),
    ("-", 4),
    ("*", 5),
    ("/", 5),
    ("^", 6),
];

fn tokenize(text: &str) -> Result<Vec<Token>, MathError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = next_token(rest, first)?;
        tokens.push(token);
        rest = rest.get(length..).unwrap_or("").trim_start();
    }
    Ok(tokens)
}

fn next_token(rest: &str, first: char) -> Result<(Token, usize), MathError> {
    let run = |part: fn(char) -> bool| rest.find(|c| !part(c)).unwrap_or(rest.len());
    match first {
        '(' | '[' => Ok((Token::Open, 1)),
        ')' | ']' => Ok((Token::Close, 1)),
        ',' => Ok((Token::Comma, 1)),
        '0'..='9' | '.' => {
            let length = run(|c| c.is_ascii_digit() || c == '.');
            let number = rest.get(..length).unwrap_or("");
            number
                .parse()
                .map(|n| (Token::Number(n), length))
                .map_err(|_| format!("`{number}` is not a number"))
        }
        '"' | '\'' => {
            let body = rest.get(1..).unwrap_or("");
            let end = body.find(first).ok_or("a quoted text does not end")?;
            Ok((
                Token::Text(body.get(..end).unwrap_or("").to_owned()),
                end + 2,
            ))
        }
        c if c.is_ascii_alphabetic() || c == '_' => {
            let length = run(|c| c.is_ascii_alphanumeric() || c == '_');
            let word = rest.get(..length).unwrap_or("");
            Ok(match word {
                "AND" => (Token::Operator("&&"), length),
                "OR" => (Token::Operator("||"), length),
                _ => (Token::Word(word.to_owned()), length),
            })
        }
        _ => OPERATORS
            .iter()
            .find(|(operator, _)| rest.starts_with(operator))
            .map(|(operator, _)| (Token::Operator(operator), operator.len()))
            .ok_or_else(|| format!("unexpected `{first}`")),
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    known: &'a BTreeMap<String, Value>,
    grid: Grid,
    depth: u8,
}

/// Deeper nesting than any real expression has; a bound on recursion.
const MAX_DEPTH: u8 = 64;

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn expect(&mut self, token: &Token) -> Result<(), MathError> {
        match self.next() {
            Some(found) if found == *token => Ok(()),
            found => Err(format!("expected {token:?}, found {found:?}")),
        }
    }

    /// Precedence climbing: takes operators that bind at least as strongly as `floor`.
    fn expression(&mut self, floor: u8) -> Result<Value, MathError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the expression is nested too deeply".to_owned());
        }
        let mut left = self.operand()?;
        while let Some(&Token::Operator(operator)) = self.peek() {
            let strength = OPERATORS
                .iter()
                .find(|(o, _)| *o == operator)
                .map_or(0, |(_, s)| *s);
            if strength < floor {
                break;
            }
            self.at += 1;
            let right = self.expression(strength + 1)?;
            left = combine(&left, &right, |a, b| apply(operator, a, b))?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operand(&mut self) -> Result<Value, MathError> {
        match self.next() {
            Some(Token::Number(n)) => Ok(Value::Scalar(n)),
            Some(Token::Operator("-")) => {
                let value = self.expression(6)?;
                Ok(map(value, |x| -x))
            }
            Some(Token::Open) => {
                let value = self.expression(0)?;
                if self.peek() == Some(&Token::Comma) {
                    return self.list(value);
                }
                self.expect(&Token::Close)?;
                Ok(value)
            }
            Some(Token::Word(word)) if self.peek() == Some(&Token::Open) => self.call(&word),
            Some(Token::Word(word)) => self
                .known
                .get(&word)
                .cloned()
                .ok_or_else(|| format!("`{word}` is not a query id")),
            other => Err(format!("expected a value, found {other:?}")),
        }
    }

    /// `[m1, m2]`, after its first element.
    fn list(&mut self, first: Value) -> Result<Value, MathError> {
        let mut series = vec![as_series(first)?];
        while self.peek() == Some(&Token::Comma) {
            self.at += 1;
            series.push(as_series(self.expression(0)?)?);
        }
        self.expect(&Token::Close)?;
        Ok(Value::List(series))
    }

    fn call(&mut self, function: &str) -> Result<Value, MathError> {
        self.expect(&Token::Open)?;
        let mut arguments = Vec::new();
        while self.peek().is_some_and(|t| *t != Token::Close) {
            arguments.push(self.argument()?);
            if self.peek() == Some(&Token::Comma) {
                self.at += 1;
            }
        }
        self.expect(&Token::Close)?;
        self.apply_function(function, arguments)
    }

    fn argument(&mut self) -> Result<Argument, MathError> {
        match self.peek() {
            Some(Token::Word(word)) if matches!(word.as_str(), "REPEAT" | "LINEAR") => {
                let word = word.clone();
                self.at += 1;
                Ok(Argument::Keyword(word))
            }
            Some(Token::Text(text)) => {
                let text = text.clone();
                self.at += 1;
                Ok(Argument::Keyword(text))
            }
            _ => self.expression(0).map(Argument::Value),
        }
    }

    fn apply_function(&self, function: &str, arguments: Vec<Argument>) -> Result<Value, MathError> {
        let mut arguments = arguments.into_iter();
        let mut next = || {
            arguments
                .next()
                .ok_or_else(|| format!("{function} lacks an argument"))
        };
        match function {
            "METRICS" => Ok(Value::List(
                self.known
                    .values()
                    .filter_map(|v| as_series(v.clone()).ok())
                    .collect(),
            )),
            "FILL" => {
                let series = as_series(next()?.value()?)?;
                match next()? {
                    Argument::Keyword(word) => {
                        Ok(Value::Series(fill_from(&series, &word, self.grid)?))
                    }
                    Argument::Value(Value::Scalar(x)) => {
                        let at = |t: Instant| (t, series.get(&t).copied().unwrap_or(x));
                        Ok(Value::Series(self.grid.instants().map(at).collect()))
                    }
                    Argument::Value(_) => Err("FILL takes a number, REPEAT or LINEAR".to_owned()),
                }
            }
            "IF" => {
                let condition = next()?.value()?;
                let then = next()?.value()?;
                let otherwise = arguments.next().map(Argument::value).transpose()?;
                choose(condition, &then, otherwise.as_ref())
            }
            "ABS" => Ok(map(next()?.value()?, f64::abs)),
            "CEIL" => Ok(map(next()?.value()?, f64::ceil)),
            "FLOOR" => Ok(map(next()?.value()?, f64::floor)),
            "PERIOD" => Ok(Value::Scalar(self.grid.period.secs_f64())),
            "SUM" => reduce(next()?.value()?, |xs| xs.iter().sum()),
            "AVG" => reduce(next()?.value()?, |xs| {
                xs.iter().sum::<f64>() / crate::num::from_usize(xs.len())
            }),
            "MIN" => reduce(next()?.value()?, |xs| {
                xs.iter().copied().fold(f64::INFINITY, f64::min)
            }),
            "MAX" => reduce(next()?.value()?, |xs| {
                xs.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            }),
            other => Err(format!("this sandbox has no function {other}")),
        }
    }
}

enum Argument {
    Value(Value),
    Keyword(String),
}

impl Argument {
    fn value(self) -> Result<Value, MathError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Keyword(word) => Err(format!("`{word}` is not a value")),
        }
    }
}

fn apply(operator: &str, a: f64, b: f64) -> f64 {
    let truth = |condition: bool| if condition { 1.0 } else { 0.0 };
    match operator {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "^" => a.powf(b),
        ">" => truth(a > b),
        "<" => truth(a < b),
        ">=" => truth(a >= b),
        "<=" => truth(a <= b),
        "==" => truth(a.total_cmp(&b).is_eq()),
        "!=" => truth(a.total_cmp(&b).is_ne()),
        "&&" => truth(a != 0.0 && b != 0.0),
        _ => truth(a != 0.0 || b != 0.0),
    }
}

fn as_series(value: Value) -> Result<BTreeMap<Instant, f64>, MathError> {
    match value {
        Value::Series(series) => Ok(series),
        Value::Scalar(_) | Value::List(_) => Err("a time series is needed here".to_owned()),
    }
}

fn map(value: Value, f: impl Fn(f64) -> f64) -> Value {
    let each =
        |series: BTreeMap<Instant, f64>| series.into_iter().map(|(t, x)| (t, f(x))).collect();
    match value {
        Value::Scalar(x) => Value::Scalar(f(x)),
        Value::Series(series) => Value::Series(each(series)),
        Value::List(list) => Value::List(list.into_iter().map(each).collect()),
    }
}

/// Points exist where both sides have one; results that are not numbers are dropped, as CloudWatch drops them.
fn combine(left: &Value, right: &Value, f: impl Fn(f64, f64) -> f64) -> Result<Value, MathError> {
    let finite = |points: BTreeMap<Instant, f64>| -> Value {
        Value::Series(points.into_iter().filter(|(_, x)| x.is_finite()).collect())
    };
    Ok(match (left, right) {
        (Value::Scalar(x), Value::Scalar(y)) => Value::Scalar(f(*x, *y)),
        (Value::Series(left), Value::Scalar(y)) => {
            finite(left.iter().map(|(at, x)| (*at, f(*x, *y))).collect())
        }
        (Value::Scalar(x), Value::Series(right)) => {
            finite(right.iter().map(|(at, y)| (*at, f(*x, *y))).collect())
        }
        (Value::Series(left), Value::Series(right)) => {
            let both = |(at, x): (&Instant, &f64)| right.get(at).map(|y| (*at, f(*x, *y)));
            finite(left.iter().filter_map(both).collect())
        }
        (Value::List(_), _) | (_, Value::List(_)) => {
            return Err("a list of series can not be an operand; reduce it first".to_owned());
        }
    })
}

/// A function over one series gives a number; over a list it gives a series, point by point.
fn reduce(value: Value, f: impl Fn(&[f64]) -> f64) -> Result<Value, MathError> {
    match value {
        Value::Scalar(x) => Ok(Value::Scalar(x)),
        Value::Series(series) if series.is_empty() => Err("the series has no data".to_owned()),
        Value::Series(series) => Ok(Value::Scalar(f(&series.into_values().collect::<Vec<_>>()))),
        Value::List(list) => {
            let mut at: BTreeMap<Instant, Vec<f64>> = BTreeMap::new();
            for (t, x) in list.into_iter().flatten() {
                at.entry(t).or_default().push(x);
            }
            Ok(Value::Series(
                at.into_iter().map(|(t, xs)| (t, f(&xs))).collect(),
            ))
        }
    }
}

fn fill_from(
    series: &BTreeMap<Instant, f64>,
    how: &str,
    grid: Grid,
) -> Result<BTreeMap<Instant, f64>, MathError> {
    let before = |t: Instant| series.range(..=t).next_back();
    let after = |t: Instant| series.range(t..).next();
    let fill = |t: Instant| match how {
        "REPEAT" => before(t).map(|(_, x)| (t, *x)),
        _ => match (before(t), after(t)) {
            (Some((t0, x0)), Some((t1, x1))) if t0 < t1 => {
                let share = (t - *t0).secs_f64() / (*t1 - *t0).secs_f64();
                Some((t, x0 + (x1 - x0) * share))
            }
            (Some((_, x)), _) => Some((t, *x)),
            (None, _) => None,
        },
    };
    match how {
        "REPEAT" | "LINEAR" => Ok(grid.instants().filter_map(fill).collect()),
        other => Err(format!(
            "FILL takes a number, REPEAT or LINEAR, not `{other}`"
        )),
    }
}

fn choose(condition: Value, then: &Value, otherwise: Option<&Value>) -> Result<Value, MathError> {
    let at = |value: &Value, t: Instant| match value {
        Value::Scalar(x) => Some(*x),
        Value::Series(series) => series.get(&t).copied(),
        Value::List(_) => None,
    };
    match condition {
        Value::Scalar(x) if x != 0.0 => Ok(then.clone()),
        Value::Scalar(_) => otherwise
            .cloned()
            .ok_or_else(|| "IF lacks its other branch".to_owned()),
        Value::Series(series) => Ok(Value::Series(
            series
                .into_iter()
                .filter_map(|(t, x)| {
                    let branch = if x == 0.0 { otherwise } else { Some(then) };
                    branch
                        .and_then(|value| at(value, t))
                        .map(|value| (t, value))
                })
                .collect(),
        )),
        Value::List(_) => Err("IF needs one series or number as its condition".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid {
            start: Instant::from_secs(0),
            end: Instant::from_secs(300),
            period: Span::MINUTE,
        }
    }

    fn series(points: &[(i64, f64)]) -> Value {
        Value::Series(
            points
                .iter()
                .map(|(t, x)| (Instant::from_secs(*t), *x))
                .collect(),
        )
    }

    fn eval(expression: &str) -> Result<Value, MathError> {
        let known = BTreeMap::from([
            (
                "m1".to_owned(),
                series(&[(0, 10.0), (60, 20.0), (180, 40.0)]),
            ),
            ("m2".to_owned(), series(&[(0, 2.0), (60, 0.0), (180, 4.0)])),
        ]);
        evaluate(expression, &known, grid())
    }

    #[test]
    fn operators_bind_as_in_arithmetic() {
        assert_eq!(eval("1 + 2 * 3 ^ 2"), Ok(Value::Scalar(19.0)));
        assert_eq!(eval("(1 + 2) * -3"), Ok(Value::Scalar(-9.0)));
        assert_eq!(eval("10 - 2 - 3"), Ok(Value::Scalar(5.0)));
        assert_eq!(eval("1 < 2 AND 3 >= 4"), Ok(Value::Scalar(0.0)));
    }

    #[test]
    fn series_combine_where_both_have_a_point() {
        assert_eq!(
            eval("m1 / 10"),
            Ok(series(&[(0, 1.0), (60, 2.0), (180, 4.0)]))
        );
        assert_eq!(eval("m1 / m2"), Ok(series(&[(0, 5.0), (180, 10.0)])));
    }

    #[test]
    fn fill_makes_sparse_data_dense() {
        assert_eq!(
            eval("FILL(m1, 0)"),
            Ok(series(&[
                (0, 10.0),
                (60, 20.0),
                (120, 0.0),
                (180, 40.0),
                (240, 0.0)
            ]))
        );
        assert_eq!(
            eval("FILL(m1, REPEAT)"),
            Ok(series(&[
                (0, 10.0),
                (60, 20.0),
                (120, 20.0),
                (180, 40.0),
                (240, 40.0)
            ]))
        );
        assert_eq!(
            eval("FILL(m1, LINEAR)"),
            Ok(series(&[
                (0, 10.0),
                (60, 20.0),
                (120, 30.0),
                (180, 40.0),
                (240, 40.0)
            ]))
        );
    }

    #[test]
    fn functions_reduce_one_series_to_a_number_and_many_to_a_series() {
        assert_eq!(eval("MAX(m1)"), Ok(Value::Scalar(40.0)));
        assert_eq!(
            eval("SUM([m1, m2])"),
            Ok(series(&[(0, 12.0), (60, 20.0), (180, 44.0)]))
        );
        assert_eq!(eval("SUM(METRICS())"), eval("SUM([m1, m2])"));
        assert_eq!(
            eval("IF(m1 > 15, m1, 0)"),
            Ok(series(&[(0, 0.0), (60, 20.0), (180, 40.0)]))
        );
    }

    #[test]
    fn nonsense_is_an_error_not_a_panic() {
        for bad in [
            "", "m1 +", "m9", "NOPE(m1)", "(1", "1 2", "m1 @ 2", "1.2.3", "'x",
        ] {
            assert!(eval(bad).is_err(), "{bad}");
        }
        assert!(eval(&"(".repeat(500)).is_err());
        assert!(eval(&"-".repeat(500)).is_err());
    }
}
