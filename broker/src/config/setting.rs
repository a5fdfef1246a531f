//! One row of the table of settings: what a property is called, what it may hold, and how it is treated.

use std::fmt;

/// The type a value is parsed as. The discriminants are the codes DescribeConfigs answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Kind {
    /// `true` or `false`, in any case.
    Boolean = 1,
    /// Any text.
    String = 2,
    /// A whole number of 32 bits.
    Int = 3,
    /// A whole number of 16 bits.
    Short = 4,
    /// A whole number of 64 bits.
    Long = 5,
    /// A decimal number.
    Double = 6,
    /// Words between commas.
    List = 7,
    /// The name of a Java class; nothing here can load one.
    Class = 8,
    /// Text that is never shown.
    Password = 9,
}

impl Kind {
    /// The word used in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Boolean => "boolean",
            Kind::String => "string",
            Kind::Int => "int",
            Kind::Short => "short",
            Kind::Long => "long",
            Kind::Double => "double",
            Kind::List => "list",
            Kind::Class => "class",
            Kind::Password => "password",
        }
    }

    /// The range of the type itself, for whole numbers.
    fn whole_range(self) -> Option<(i64, i64)> {
        match self {
            Kind::Short => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
            Kind::Int => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
            Kind::Long => Some((i64::MIN, i64::MAX)),
            _ => None,
        }
    }
}

/// What a value may be, beyond its type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowed {
    /// Whatever the type holds.
    Anything,
    /// A whole number in `[low, high]`.
    Between(i64, i64),
    /// A whole number in `[low, high]`, or the one extra value named first.
    Either(i64, i64, i64),
    /// A decimal number in `[low, high]`.
    Fraction(f64, f64),
    /// One of these words; in a list, each of them one.
    Words(&'static [&'static str]),
    /// The same, in any case.
    WordsAnyCase(&'static [&'static str]),
    /// `*`, or a list of `partition:broker`.
    Replicas,
}

/// Who may change a setting while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dynamic {
    /// Nobody: it takes a restart.
    ReadOnly,
    /// AlterConfigs of one broker.
    PerBroker,
    /// AlterConfigs of one broker, or of the cluster's default.
    ClusterWide,
}

/// What becomes of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what it says.
    Served,
    /// It is accepted and changes nothing; the reason is logged once when it is set.
    Inert(&'static str),
    /// A value other than the default keeps the broker from starting; the reason is the message.
    Refused(&'static str),
}

/// One row of the table. Built by the `const` functions below, so that a row reads as one sentence.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Kafka's name.
    pub name: &'static str,
    /// Type of the value.
    pub kind: Kind,
    /// The value in force when nobody sets one; `None` is Kafka's null.
    pub default: Option<&'static str>,
    /// Bounds of the value.
    pub allowed: Allowed,
    /// Whether it can change while the broker runs.
    pub dynamic: Dynamic,
    /// Served, inert or refused.
    pub support: Support,
    /// What it is for, in one or two sentences.
    pub doc: &'static str,
    /// Of a topic's setting: the broker's settings its default comes from, the first one set wins.
    pub broker_names: &'static [&'static str],
    /// Kafka keeps it for its own tests: parsed, never described.
    pub internal: bool,
}

const fn row(name: &'static str, kind: Kind, default: Option<&'static str>) -> Setting {
    Setting {
        name,
        kind,
        default,
        allowed: Allowed::Anything,
        dynamic: Dynamic::ReadOnly,
        support: Support::Served,
        doc: "",
        broker_names: &[],
        internal: false,
    }
}

macro_rules! row_constructors {
    ($($function:ident, $optional:ident => $kind:ident;)*) => {$(
        /// A row of this type with a default.
        pub(super) const fn $function(name: &'static str, default: &'static str) -> Setting {
            row(name, Kind::$kind, Some(default))
        }
        /// A row of this type that is null unless set.
        #[allow(dead_code)]
        pub(super) const fn $optional(name: &'static str) -> Setting {
            row(name, Kind::$kind, None)
        }
    )*};
}

row_constructors! {
    boolean, boolean_or_null => Boolean;
    string, string_or_null => String;
    int, int_or_null => Int;
    short, short_or_null => Short;
    long, long_or_null => Long;
    double, double_or_null => Double;
    list, list_or_null => List;
    class, class_or_null => Class;
}

/// A row whose value is never shown; null unless set.
pub(super) const fn password(name: &'static str) -> Setting {
    row(name, Kind::Password, None)
}

impl Setting {
    pub(super) const fn at_least(mut self, low: i64) -> Setting {
        self.allowed = Allowed::Between(low, i64::MAX);
        self
    }

    pub(super) const fn between(mut self, low: i64, high: i64) -> Setting {
        self.allowed = Allowed::Between(low, high);
        self
    }

    pub(super) const fn either(mut self, extra: i64, low: i64, high: i64) -> Setting {
        self.allowed = Allowed::Either(extra, low, high);
        self
    }

    pub(super) const fn fraction(mut self, low: f64, high: f64) -> Setting {
        self.allowed = Allowed::Fraction(low, high);
        self
    }

    pub(super) const fn words(mut self, words: &'static [&'static str]) -> Setting {
        self.allowed = Allowed::Words(words);
        self
    }

    pub(super) const fn words_any_case(mut self, words: &'static [&'static str]) -> Setting {
        self.allowed = Allowed::WordsAnyCase(words);
        self
    }

    pub(super) const fn replicas(mut self) -> Setting {
        self.allowed = Allowed::Replicas;
        self
    }

    pub(super) const fn per_broker(mut self) -> Setting {
        self.dynamic = Dynamic::PerBroker;
        self
    }

    pub(super) const fn cluster_wide(mut self) -> Setting {
        self.dynamic = Dynamic::ClusterWide;
        self
    }

    pub(super) const fn inert(mut self, reason: &'static str) -> Setting {
        self.support = Support::Inert(reason);
        self
    }

    pub(super) const fn refused(mut self, reason: &'static str) -> Setting {
        self.support = Support::Refused(reason);
        self
    }

    pub(super) const fn broker_names(mut self, names: &'static [&'static str]) -> Setting {
        self.broker_names = names;
        self
    }

    pub(super) const fn internal(mut self) -> Setting {
        self.internal = true;
        self
    }

    pub(super) const fn doc(mut self, doc: &'static str) -> Setting {
        self.doc = doc;
        self
    }

    /// Whether a value may be shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Checks a value as it was written.
    ///
    /// # Errors
    /// The words after the value in a sentence: what is wrong with it and what is allowed.
    pub fn check(&self, value: &str) -> Result<(), Invalid> {
        let value = value.trim();
        let fits = match self.kind {
            Kind::Boolean => parse_boolean(value).is_some(),
            Kind::Int | Kind::Short | Kind::Long => self.whole_fits(value),
            Kind::Double => value
                .parse::<f64>()
                .is_ok_and(|number| self.fraction_fits(number)),
            Kind::List => self.list_fits(value),
            Kind::String | Kind::Class | Kind::Password => self.text_fits(value),
        };
        if fits {
            Ok(())
        } else {
            Err(Invalid {
                allowed: self.allowed_words(),
            })
        }
    }

    fn whole_fits(&self, value: &str) -> bool {
        let Ok(number) = value.parse::<i64>() else {
            return false;
        };
        let Some((low, high)) = self.kind.whole_range() else {
            return false;
        };
        let in_type = (low..=high).contains(&number);
        in_type
            && match self.allowed {
                Allowed::Between(low, high) => (low..=high).contains(&number),
                Allowed::Either(extra, low, high) => number == extra || (low..=high).contains(&number),
                _ => true,
            }
    }

    fn fraction_fits(&self, number: f64) -> bool {
        match self.allowed {
            Allowed::Fraction(low, high) => number >= low && number <= high,
            _ => !number.is_nan(),
        }
    }

    fn list_fits(&self, value: &str) -> bool {
        match self.allowed {
            Allowed::Words(words) => split_list(value).all(|item| words.contains(&item)),
            Allowed::Replicas => {
                value == "*"
                    || split_list(value).all(|item| {
                        item.split_once(':').is_some_and(|(partition, broker)| {
                            partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok()
                        })
                    })
            }
            _ => true,
        }
    }

    fn text_fits(&self, value: &str) -> bool {
        match self.allowed {
            Allowed::Words(words) => words.contains(&value),
            Allowed::WordsAnyCase(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
            _ => true,
        }
    }

    /// What a value may be, as the end of a sentence: `a whole number of at least 1`.
    pub fn allowed_words(&self) -> String {
        let (low, high) = match self.allowed {
            Allowed::Between(low, high) | Allowed::Either(_, low, high) => (low, high),
            _ => (i64::MIN, i64::MAX),
        };
        match (self.kind, self.allowed) {
            (Kind::Boolean, _) => "true or false".into(),
            (Kind::Int | Kind::Short | Kind::Long, allowed) => {
                let (least, most) = self.kind.whole_range().unwrap_or((i64::MIN, i64::MAX));
                let range = match (low > least, high < most) {
                    (true, true) => format!("a whole number from {low} to {high}"),
                    (true, false) => format!("a whole number of at least {low}"),
                    (false, true) => format!("a whole number of at most {high}"),
                    (false, false) => format!("a whole number of {} bits", 64 - least.leading_ones() + 1),
                };
                match allowed {
                    Allowed::Either(extra, ..) => format!("{range}, or {extra}"),
                    _ => range,
                }
            }
            (Kind::Double, Allowed::Fraction(low, high)) => format!("a number from {low} to {high}"),
            (Kind::Double, _) => "a number".into(),
            (Kind::List, Allowed::Words(words)) => {
                format!("a list, between commas, of: {}", words.join(", "))
            }
            (_, Allowed::Words(words) | Allowed::WordsAnyCase(words)) => {
                format!("one of: {}", words.join(", "))
            }
            (_, Allowed::Replicas) => "*, or a list like 0:1,1:2 (partition:broker)".into(),
            (Kind::List, _) => "words between commas".into(),
            _ => "any text".into(),
        }
    }
}

/// A value that its setting does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What would have been allowed, from [`Setting::allowed_words`] or in words of its own.
    pub allowed: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allowed: {}", self.allowed)
    }
}

pub(super) fn parse_boolean(value: &str) -> Option<bool> {
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The words of a list: trimmed, empty ones left out.
pub fn split_list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_bounds_is_told_the_bounds() {
        let cases = [
            (
                int("a", "1").at_least(1),
                "0",
                Some("a whole number of at least 1"),
            ),
            (int("a", "1").at_least(1), "1", None),
            (int("a", "1"), "4294967296", Some("a whole number of 32 bits")),
            (short("a", "1"), "40000", Some("a whole number of 16 bits")),
            (long("a", "1"), "4294967296", None),
            (
                int("a", "-1").either(-1, 1, 9),
                "0",
                Some("a whole number from 1 to 9, or -1"),
            ),
            (int("a", "-1").either(-1, 1, 9), "-1", None),
            (boolean("a", "true"), "yes", Some("true or false")),
            (boolean("a", "true"), " TRUE ", None),
            (
                double("a", "0.5").fraction(0.0, 1.0),
                "1.5",
                Some("a number from 0 to 1"),
            ),
            (
                double("a", "0.5").fraction(0.0, 1.0),
                "NaN",
                Some("a number from 0 to 1"),
            ),
            (
                list("a", "").words(&["x", "y"]),
                "x, z",
                Some("a list, between commas, of: x, y"),
            ),
            (list("a", "").words(&["x", "y"]), "y,x", None),
            (list("a", "").replicas(), "*", None),
            (
                list("a", "").replicas(),
                "0:1,2",
                Some("*, or a list like 0:1,1:2 (partition:broker)"),
            ),
            (string("a", "x").words(&["x", "y"]), "X", Some("one of: x, y")),
            (string("a", "x").words_any_case(&["x", "y"]), "X", None),
        ];
        for (setting, value, want) in cases {
            let got = setting.check(value).err().map(|invalid| invalid.allowed);
            assert_eq!(got.as_deref(), want, "{:?} = {value}", setting.kind);
        }
    }
}
