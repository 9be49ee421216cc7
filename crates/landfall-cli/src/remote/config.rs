//! The file with the remotes.

use super::{DROPBOX, LOCAL};
use crate::exit::{Context, Exit, Fail, Result};
use etcetera::BaseStrategy;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use toml::{Table, Value};

/// Names that are not for `remote add`.
const BUILT_IN: [&str; 2] = [LOCAL, DROPBOX];

/// A remote with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) url: String,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca_cert: Option<PathBuf>,
}

/// The remotes, and which one is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemoteConfig {
    used: Option<String>,
    remotes: BTreeMap<String, Named>,
}

impl RemoteConfig {
    /// Reads the file; without one there are only the built-in remotes.
    pub(crate) fn load() -> Result<Self> {
        let path = path()?;
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            read => read.when(|| format!("can't read {}", path.display()))?,
        };
        Self::parse(&text).map_err(|why| {
            let what = format!("can't read {}", path.display());
            Fail::new(
                Exit::Usage,
                what,
                format_args!("{why}; correct it or delete it"),
            )
        })
    }

    /// Replaces the file in one step, readable by the user alone.
    pub(crate) fn save(&self) -> Result<()> {
        let path = path()?;
        let what = || format!("can't write {}", path.display());
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).when(what)?;
        // Temporary files are made with mode 0600.
        let mut beside = tempfile::NamedTempFile::new_in(folder).when(what)?;
        beside.write_all(self.to_text().as_bytes()).when(what)?;
        beside.as_file().sync_all().when(what)?;
        beside
            .persist(&path)
            .map_err(|error| error.error)
            .when(what)?;
        Ok(())
    }

    /// The remote of this name, unless it is built in.
    pub(crate) fn get(&self, name: &str) -> Option<&Named> {
        self.remotes.get(name)
    }

    /// The remotes that are not built in, by name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Named)> {
        self.remotes
            .iter()
            .map(|(name, named)| (name.as_str(), named))
    }

    /// The remote that commands go to unless they say otherwise.
    pub(crate) fn used(&self) -> &str {
        self.used.as_deref().unwrap_or(LOCAL)
    }

    /// Adds a remote.
    pub(crate) fn add(&mut self, name: &str, named: Named) -> Result<()> {
        let what = || format!("can't add the remote {name}");
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(legal) {
            let why = "a name has letters, digits, - _ and . only; choose another";
            return Err(Fail::new(Exit::Usage, what(), why));
        }
        if BUILT_IN.contains(&name) || self.remotes.contains_key(name) {
            let why = "there is one of this name; choose another, or edit the configuration";
            return Err(Fail::new(Exit::Conflict, what(), why));
        }
        self.remotes.insert(name.to_owned(), named);
        Ok(())
    }

    /// Makes a remote the one that commands go to.
    pub(crate) fn choose(&mut self, name: &str) -> Result<()> {
        if !BUILT_IN.contains(&name) && !self.remotes.contains_key(name) {
            let why = "there is no such remote; `landfall remote list` shows those there are";
            return Err(Fail::new(
                Exit::Usage,
                format_args!("can't use the remote {name}"),
                why,
            ));
        }
        self.used = Some(name.to_owned());
        Ok(())
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| format!("it is no TOML ({})", error.message()))?;
        let mut config = Self {
            used: text_in(&table, "use")?,
            remotes: BTreeMap::new(),
        };
        let remotes = match table.get("remotes") {
            None => return Ok(config),
            Some(Value::Table(remotes)) => remotes,
            Some(_) => return Err("`remotes` is no table".to_owned()),
        };
        for (name, value) in remotes {
            let Value::Table(remote) = value else {
                return Err(format!("the remote {name} is no table"));
            };
            let url = text_in(remote, "url")?;
            let named = Named {
                url: url.ok_or_else(|| format!("the remote {name} has no `url`"))?,
                token_file: text_in(remote, "token_file")?.map(PathBuf::from),
                ca_cert: text_in(remote, "ca_cert")?.map(PathBuf::from),
            };
            config.remotes.insert(name.clone(), named);
        }
        Ok(config)
    }

    fn to_text(&self) -> String {
        let mut table = Table::new();
        if let Some(used) = &self.used {
            table.insert("use".to_owned(), Value::from(used.as_str()));
        }
        let mut remotes = Table::new();
        for (name, named) in &self.remotes {
            let mut remote = Table::new();
            remote.insert("url".to_owned(), Value::from(named.url.as_str()));
            for (key, file) in [
                ("token_file", &named.token_file),
                ("ca_cert", &named.ca_cert),
            ] {
                if let Some(file) = file {
                    let text = file.to_string_lossy().into_owned();
                    remote.insert(key.to_owned(), Value::from(text));
                }
            }
            remotes.insert(name.clone(), Value::Table(remote));
        }
        table.insert("remotes".to_owned(), Value::Table(remotes));
        table.to_string()
    }
}

fn text_in(table: &Table, key: &str) -> std::result::Result<Option<String>, String> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` is no text")),
    }
}

/// `LANDFALL_CONFIG`, or `landfall/config.toml` in the user's configuration folder.
fn path() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("LANDFALL_CONFIG").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let base = etcetera::base_strategy::Xdg::new().map_err(|error| {
        let why = format!("{error}; set LANDFALL_CONFIG");
        Fail::new(Exit::Other, "can't find the configuration", why)
    })?;
    Ok(base.config_dir().join("landfall").join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::{Named, RemoteConfig};
    use crate::exit::Exit;

    fn office() -> Named {
        Named {
            url: "https://files.example.org".to_owned(),
            token_file: Some("/home/panda/.token".into()),
            ca_cert: None,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut config = RemoteConfig::default();
        assert_eq!(config.used(), "local");
        config.add("office", office()).unwrap();
        config.choose("office").unwrap();
        assert_eq!(RemoteConfig::parse(&config.to_text()), Ok(config));
    }

    #[test]
    fn names_are_neither_taken_twice_nor_made_up() {
        let mut config = RemoteConfig::default();
        config.add("office", office()).unwrap();
        for name in ["office", "local", "dropbox"] {
            assert_eq!(
                config.add(name, office()).unwrap_err().exit(),
                Exit::Conflict
            );
        }
        for name in ["", "a b", "http://h"] {
            assert_eq!(config.add(name, office()).unwrap_err().exit(), Exit::Usage);
        }
        assert!(config.choose("nowhere").is_err());
    }

    #[test]
    fn a_broken_file_is_told_in_one_line() {
        for text in [
            "use = 1",
            "remotes = 1",
            "[remotes.a]",
            "[remotes]\na = 1",
            "=",
        ] {
            let why = RemoteConfig::parse(text).unwrap_err();
            assert!(!why.contains('\n'), "{why}");
        }
    }
}
