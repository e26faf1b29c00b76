import Foundation

/// Pages of the documentation catalogue.
public enum Documentation {
    /// The text of a page, by its path in the catalogue without the ending.
    public static func page(_ path: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
        let file = root.appending(path: "Sources/dimerec/Documentation.docc/\(path).md")
        return try String(contentsOf: file, encoding: .utf8)
    }

    /// The cells of the table rows below a heading; the row of titles is left out.
    public static func rows(of page: String, below heading: String) -> [[String]] {
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        let section = lines.drop { $0.drop { $0 == "#" } != " \(heading)" }.dropFirst().prefix { !$0.hasPrefix("#") }
        let table = section.drop { !$0.hasPrefix("| ---") }.dropFirst().prefix { $0.hasPrefix("|") }
        return table.map { row in
            row.dropFirst().dropLast().split(separator: " | ", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    /// The words between backticks.
    public static func code(in text: String) -> [String] {
        text.matches(of: /`([^`]+)`/).map { String($0.1) }
    }
}
