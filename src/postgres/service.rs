//! libpq's service file: sections with connection parameters.

use std::path::PathBuf;

use super::conninfo::Parameters;

/// The parameters of a service, from the first of the files that has it. An error says why there are none, without the text of a line, which may be a
/// password's.
pub(super) fn section(files: &[PathBuf], name: &str) -> Result<Parameters, String> {
    for file in files {
        if let Ok(text) = std::fs::read_to_string(file)
            && let Some(found) = of(&text, name)
        {
            return found.map_err(|line| format!("line {line} of {} is no parameter=value", file.display()));
        }
    }
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Err(format!("no section [{name}] in {}", files.join(" or ")))
}

/// The section of a name, or the number of the line that is not understood.
fn of(text: &str, name: &str) -> Option<Result<Parameters, usize>> {
    let mut lines = text.lines().map(str::trim).zip(1..);
    lines.find(|(line, _)| line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) == Some(name))?;
    let section = lines.take_while(|(line, _)| !line.starts_with('['));
    let parameters = section.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    Some(
        parameters
            .map(|(line, number)| match line.split_once('=') {
                // A service in a service would go in circles.
                Some((key, value)) if !key.trim().starts_with("service") => {
                    Ok((key.trim().to_owned(), value.trim().to_owned()))
                }
                _ => Err(number),
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_by_its_name() {
        let text = "# ours\n[test]\nhost=a\n\n[shop]\n# the shop\nhost = b\nport=5433\n[broken]\nldap://x\n";
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(of(text, "shop"), Some(Ok(vec![pair("host", "b"), pair("port", "5433")])));
        assert_eq!(of(text, "broken"), Some(Err(10)));
        assert_eq!(of(text, "none"), None);
    }
}
