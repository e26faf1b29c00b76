import Foundation
import Testing

/// The text of a file of this repository.
func repositoryFile(_ path: String) throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    return try String(contentsOf: root.appending(path: path), encoding: .utf8)
}

/// The lines of RetrievalTests between two comments, without their indentation.
func sourceLines(between first: String, and last: String) throws -> [String] {
    let lines = try repositoryFile("Tests/DimeRecClientTests/RetrievalTests.swift").split(separator: "\n").map {
        $0.trimmingCharacters(in: .whitespaces)
    }
    let start = try #require(lines.firstIndex(of: "// \(first)"))
    let end = try #require(lines.firstIndex(of: "// \(last)"))
    let part = Array(lines[(start + 1)..<end])
    #expect(part.count > 3)
    return part.map { $0.replacing("[url, ", with: "[\"http://127.0.0.1:8080\", ") }
}
