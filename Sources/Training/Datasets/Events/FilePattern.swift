import Foundation

/// Finds files by a pattern of names: `*` for any characters, `?` for one, `[a-z]` for one of several, `[!a]` for
/// another one.
///
/// A pattern never matches `/`, and a leading dot only matches a dot. Files are listed in the order of the bytes of
/// their names, whatever the language of the machine.
enum FilePattern {
    /// Whether a name holds a character of patterns.
    static func isPattern(_ name: String) -> Bool { name.contains { "*?[".contains($0) } }

    /// Whether a path leads to a folder; nil when it leads to nothing.
    static func isFolder(_ path: String) -> Bool? { type(of: path).map { $0 == .typeDirectory } }

    /// Whether a path leads to a file that can be read again and again, unlike a pipe.
    static func isRegularFile(_ path: String) -> Bool { type(of: path) == .typeRegular }

    private static func type(of path: String) -> FileAttributeType? {
        let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        return try? FileManager.default.attributesOfItem(atPath: resolved)[.type] as? FileAttributeType
    }

    /// The names in a folder, sorted by bytes; none if it cannot be read.
    static func names(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder)) ?? []
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The files, not folders, that match a pattern.
    static func files(matching pattern: String) -> [String] {
        var paths = [pattern.hasPrefix("/") ? "/" : ""]
        for component in pattern.split(separator: "/") {
            paths = paths.flatMap { path in
                let start = path.isEmpty || path.hasSuffix("/") ? path : path + "/"
                guard isPattern(String(component)) else { return [start + component] }
                return names(in: path).filter { name in
                    name.hasPrefix(".") == component.hasPrefix(".") && matches(Array(name), Array(component))
                }.map { start + $0 }
            }
        }
        return paths.filter { isFolder($0) == false }
    }

    /// Whether a name matches a pattern without `/`.
    ///
    /// - Complexity: O(n m) in their lengths.
    static func matches(_ name: [Character], _ pattern: [Character]) -> Bool {
        var (place, index) = (0, 0)
        // Where to go on when a later part does not match: the newest `*` takes one more character.
        var retry: (place: Int, index: Int)?
        while place < name.count {
            if index < pattern.count, pattern[index] == "*" {
                retry = (place, index)
                index += 1
            } else if let width = width(ofMatch: name[place], in: pattern, at: index) {
                place += 1
                index += width
            } else if let last = retry {
                retry = (last.place + 1, last.index)
                (place, index) = (last.place + 1, last.index + 1)
            } else {
                return false
            }
        }
        return pattern[index...].allSatisfy { $0 == "*" }
    }

    /// How many characters of the pattern match one character; nil when they do not match.
    private static func width(ofMatch character: Character, in pattern: [Character], at index: Int) -> Int? {
        guard index < pattern.count else { return nil }
        guard pattern[index] == "[", let end = pattern[index...].dropFirst(2).firstIndex(of: "]") else {
            return pattern[index] == "?" || pattern[index] == character ? 1 : nil
        }
        var set = pattern[index + 1..<end]
        let isNegated = set.first == "!" || set.first == "^"
        if isNegated { set.removeFirst() }
        var isIn = false
        while let low = set.popFirst() {
            guard set.first == "-", set.count > 1 else {
                isIn = isIn || low == character
                continue
            }
            set.removeFirst()
            isIn = isIn || low <= character && character <= set.removeFirst()
        }
        return isIn != isNegated ? end - index + 1 : nil
    }
}
