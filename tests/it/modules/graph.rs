//! Reads the modules of a crate and the paths between them from the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The path of a module below the crate root. Empty for the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ModulePath(Vec<String>);

impl ModulePath {
    pub(crate) fn root() -> Self {
        Self::default()
    }

    fn child(&self, name: &str) -> Self {
        let mut path = self.0.clone();
        path.push(name.to_owned());
        Self(path)
    }

    fn parent(&self) -> Self {
        let mut path = self.0.clone();
        path.pop();
        Self(path)
    }

    /// Returns the child of `ancestor` that contains this module.
    fn child_of(&self, ancestor: &Self) -> Option<&String> {
        self.0.strip_prefix(ancestor.0.as_slice())?.first()
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("::"))
    }
}

#[derive(Default)]
struct Module {
    /// Names that `use` declarations bring into the module, with their paths.
    imports: BTreeMap<String, Vec<String>>,
    /// All paths in the module that may lead to another one.
    paths: BTreeSet<Vec<String>>,
    /// Names of the macros that the module defines.
    macros: BTreeSet<String>,
}

/// The modules of a crate without their tests.
#[derive(Default)]
pub(crate) struct Graph {
    modules: BTreeMap<ModulePath, Module>,
    edges: BTreeSet<(ModulePath, ModulePath)>,
}

impl Graph {
    /// Reads a crate. `text` returns the content of a file, or `None` if there is no such file.
    pub(crate) fn read(root_file: &str, text: impl Fn(&str) -> Option<String>) -> Self {
        let mut graph = Self::default();
        let root = text(root_file).unwrap_or_else(|| panic!("{root_file} is missing"));
        let mut unread = vec![(ModulePath::root(), root)];
        while let Some((module, source)) = unread.pop() {
            let tokens: TokenStream = match source.parse() {
                Ok(tokens) => tokens,
                Err(error) => panic!("{module}: {error}"),
            };
            for child in graph.scan(&module, tokens) {
                let stem = child.0.join("/");
                let files = [format!("{stem}.rs"), format!("{stem}/mod.rs")];
                let source = files.iter().find_map(|file| text(file));
                let source = source.unwrap_or_else(|| panic!("{child} has no file"));
                unread.push((child, source));
            }
        }
        graph.connect();
        graph
    }

    /// Scans the tokens of a module. Returns the child modules that are in files of their own.
    fn scan(&mut self, here: &ModulePath, tokens: TokenStream) -> Vec<ModulePath> {
        self.modules.entry(here.clone()).or_default();
        let mut elsewhere = Vec::new();
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let Some((first, after)) = rest.split_first() {
            if let Some(after) = after_test_item(rest) {
                rest = after;
                continue;
            }
            rest = after;
            match first {
                TokenTree::Group(group) => elsewhere.extend(self.scan(here, group.stream())),
                TokenTree::Ident(word) if word == "use" => {
                    let end = rest.iter().position(|token| is_punct(token, ';'));
                    let (tree, after) = rest.split_at(end.unwrap_or(rest.len()));
                    self.import(here, &[], tree);
                    rest = after;
                }
                TokenTree::Ident(word) if word == "mod" => match rest {
                    [TokenTree::Ident(name), TokenTree::Group(body), after @ ..] => {
                        let child = here.child(&name.to_string());
                        elsewhere.extend(self.scan(&child, body.stream()));
                        rest = after;
                    }
                    [TokenTree::Ident(name), TokenTree::Punct(_), after @ ..] => {
                        elsewhere.push(here.child(&name.to_string()));
                        rest = after;
                    }
                    _ => {}
                },
                TokenTree::Ident(word) if word == "macro_rules" => {
                    if let [_, TokenTree::Ident(name), ..] = rest {
                        self.module(here).macros.insert(name.to_string());
                    }
                }
                TokenTree::Ident(word) => {
                    let mut path = vec![word.to_string()];
                    while let Some((segment, after)) = next_segment(rest) {
                        path.push(segment);
                        rest = after;
                    }
                    if path.len() > 1 {
                        self.module(here).paths.insert(path);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        elsewhere
    }

    fn module(&mut self, path: &ModulePath) -> &mut Module {
        self.modules.entry(path.clone()).or_default()
    }

    /// Records the tree of a `use` declaration.
    fn import(&mut self, here: &ModulePath, prefix: &[String], tree: &[TokenTree]) {
        let mut path = prefix.to_vec();
        let mut rest = tree;
        loop {
            match rest {
                [TokenTree::Ident(word), after @ ..] if word == "as" => {
                    if let [TokenTree::Ident(name), ..] = after {
                        let module = self.module(here);
                        module.imports.insert(name.to_string(), path.clone());
                    }
                    self.module(here).paths.insert(path);
                    return;
                }
                [TokenTree::Ident(word), after @ ..] => {
                    path.push(word.to_string());
                    rest = after;
                }
                [TokenTree::Group(group), ..] => {
                    let tokens: Vec<_> = group.stream().into_iter().collect();
                    for branch in tokens.split(|token| is_punct(token, ',')) {
                        if !branch.is_empty() {
                            self.import(here, &path, branch);
                        }
                    }
                    return;
                }
                [token, ..] if is_punct(token, '*') => {
                    self.module(here).paths.insert(path);
                    return;
                }
                [_, after @ ..] => rest = after,
                [] => break,
            }
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        if let Some(name) = path.last() {
            let module = self.module(here);
            module.imports.insert(name.clone(), path.clone());
            module.paths.insert(path);
        }
    }

    fn connect(&mut self) {
        let mut edges = BTreeSet::new();
        for (user, module) in &self.modules {
            for path in &module.paths {
                if let Some(used) = self.resolve(user, path, 0)
                    && used != *user
                {
                    edges.insert((user.clone(), used));
                }
            }
        }
        self.edges = edges;
    }

    /// Returns the module that defines the item at this path, or `None` for an item of another
    /// crate.
    fn resolve(&self, here: &ModulePath, path: &[String], depth: usize) -> Option<ModulePath> {
        assert!(depth < 50, "{here}: {} leads nowhere", path.join("::"));
        let (first, rest) = path.split_first()?;
        let module = self.modules.get(here)?;
        match first.as_str() {
            "crate" => self.descend(ModulePath::root(), rest, depth),
            "self" => self.descend(here.clone(), rest, depth),
            "super" => {
                let mut rest = rest;
                let mut above = here.parent();
                while let Some((first, after)) = rest.split_first()
                    && first == "super"
                {
                    above = above.parent();
                    rest = after;
                }
                self.descend(above, rest, depth)
            }
            name if self.modules.contains_key(&here.child(name)) => {
                self.descend(here.clone(), path, depth)
            }
            name => {
                let import = module.imports.get(name)?;
                // `use log;` and the like: the name of another crate.
                if import.first() == Some(first) {
                    return None;
                }
                let path: Vec<_> = import.iter().chain(rest).cloned().collect();
                self.resolve(here, &path, depth + 1)
            }
        }
    }

    fn descend(&self, from: ModulePath, path: &[String], depth: usize) -> Option<ModulePath> {
        let Some((first, rest)) = path.split_first() else {
            return Some(from);
        };
        let child = from.child(first);
        if self.modules.contains_key(&child) {
            return self.descend(child, rest, depth);
        }
        let module = self.modules.get(&from)?;
        if module.imports.contains_key(first) {
            // A re-export, or the item of another crate.
            return self.resolve(&from, path, depth + 1);
        }
        // Exported macros are at the root, wherever they are defined.
        let mut definitions = self.modules.iter();
        let is_macro = |module: &Module| from.0.is_empty() && module.macros.contains(first);
        let definition = definitions.find(|(_, module)| is_macro(module));
        Some(definition.map_or(from, |(path, _)| path.clone()))
    }

    pub(crate) fn edges(&self) -> usize {
        self.edges.len()
    }

    /// Returns the names of the modules directly below `parent`.
    pub(crate) fn children(&self, parent: &ModulePath) -> BTreeSet<String> {
        let names = self.modules.keys().filter_map(|path| path.child_of(parent));
        names.cloned().collect()
    }

    /// Returns the uses between children of `parent`, each folded over all modules in it, with an
    /// example. A use of the parent itself does not count, except for one of the crate root.
    pub(crate) fn folded(&self, parent: &ModulePath) -> BTreeMap<(String, String), String> {
        let mut folded = BTreeMap::new();
        for (user, used) in &self.edges {
            let (Some(from), Some(to)) = (user.child_of(parent), used.child_of(parent)) else {
                continue;
            };
            if from != to {
                let example = format!("{user} -> {used}");
                folded.entry((from.clone(), to.clone())).or_insert(example);
            }
        }
        folded
    }

    /// Returns one cycle of each level that has any, and the uses of items in the crate root.
    pub(crate) fn cycles(&self) -> Vec<String> {
        let root = ModulePath::root();
        let mut found: Vec<_> = self
            .edges
            .iter()
            .filter(|(_, used)| *used == root)
            .map(|(user, _)| format!("cycle: {user} -> crate root -> {user}"))
            .collect();
        for parent in self.modules.keys() {
            let edges = self.folded(parent);
            let mut next: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
            for (from, to) in edges.keys() {
                next.entry(from).or_default().push(to);
            }
            let cycle = next.keys().find_map(|start| cycle_from(start, &next));
            if let Some(cycle) = cycle {
                let steps = cycle.windows(2).map(|step| {
                    let edge = (step[0].clone(), step[1].clone());
                    format!("\n    {} -> {} ({})", step[0], step[1], edges[&edge])
                });
                found.push(format!("cycle in `{parent}`:{}", steps.collect::<String>()));
            }
        }
        found
    }
}

/// Returns a shortest path from `start` back to it, with `start` at both ends.
fn cycle_from(start: &String, next: &BTreeMap<&String, Vec<&String>>) -> Option<Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut paths = vec![vec![start]];
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            for &step in next.get(path[path.len() - 1]).into_iter().flatten() {
                let mut path = path.clone();
                path.push(step);
                if step == start {
                    return Some(path.into_iter().cloned().collect());
                }
                if reached.insert(step) {
                    longer.push(path);
                }
            }
        }
        paths = longer;
    }
    None
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Returns the segment after `::`, and the rest.
fn next_segment(tokens: &[TokenTree]) -> Option<(String, &[TokenTree])> {
    match tokens {
        [first, second, TokenTree::Ident(segment), rest @ ..]
            if is_punct(first, ':') && is_punct(second, ':') =>
        {
            Some((segment.to_string(), rest))
        }
        _ => None,
    }
}

/// If the tokens begin with `#[cfg(test)]` or `#[cfg(all(test, ..))]`, returns the rest after the
/// item or statement with that attribute.
fn after_test_item(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    let [hash, TokenTree::Group(attribute), rest @ ..] = tokens else {
        return None;
    };
    let text = attribute.stream().to_string().replace(' ', "");
    let is_test = text.starts_with("cfg(test)") || text.starts_with("cfg(all(test,");
    if !is_punct(hash, '#') || attribute.delimiter() != Delimiter::Bracket || !is_test {
        return None;
    }
    let has_body = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    let words = rest.iter().filter_map(|token| match token {
        TokenTree::Ident(word) => Some(word.to_string()),
        _ => None,
    });
    let mut keywords = words.filter(|word| word != "pub" && word != "crate");
    let ends_at_semicolon = keywords
        .next()
        .is_some_and(|word| ["use", "let", "const", "static", "type"].contains(&word.as_str()));
    let end = rest
        .iter()
        .position(|token| is_punct(token, ';') || (!ends_at_semicolon && has_body(token)))?;
    rest.get(end + 1..)
}
