//! Shell words: commands that an operator copies, with the words of strangers quoted.

use entente_core::acts_on_a_terminal;

/// A command that grows word by word.
pub(super) struct Words(pub(super) String);

impl Words {
    pub(super) fn new(program: &str) -> Self {
        Self(program.to_owned())
    }

    /// Words of ours, and placeholders: as they are.
    pub(super) fn plain(mut self, words: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(words);
        self
    }

    /// A word of anybody: quoted where a shell would take it for more.
    pub(super) fn word(self, word: &str) -> Self {
        // What begins like an option would be taken for one.
        let hidden = word.starts_with('-').then(|| format!("./{word}"));
        self.plain(&quoted(hidden.as_deref().unwrap_or(word)))
    }

    pub(super) fn number(self, number: impl ToString) -> Self {
        self.plain(&number.to_string())
    }

    pub(super) fn option(self, name: &str, value: &str) -> Self {
        let between = if value.starts_with('-') { '=' } else { ' ' };
        self.plain(&format!("{name}{between}{}", quoted(value)))
    }

    /// An option with the name that it is about, where there is one.
    pub(super) fn option_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.option(name, value),
            None => self,
        }
    }
}

/// A word within a command: in quotes where a POSIX shell would take it for more than a word.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '=' | '@' | '%' | '+' | ',')
    };
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    // Files and remote systems have a say in what is named, and none in what a terminal does.
    let text: String = text.chars().map(|c| if acts_on_a_terminal(c) { '\u{fffd}' } else { c }).collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}
