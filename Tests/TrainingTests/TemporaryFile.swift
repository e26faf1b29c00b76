import Foundation
import Kernels

/// Runs a body with a temporary file.
@discardableResult func withFile<Result>(_ bytes: [UInt8], name: String = "rows.csv", _ body: (String) throws -> Result)
    throws -> Result
{
    let folder = FileManager.default.temporaryDirectory.appending(path: "dimerec-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: name)
    try Data(bytes).write(to: file)
    return try body(file.path)
}

/// Runs a body with a temporary text file.
@discardableResult func withFile<Result>(_ text: String, name: String = "rows.csv", _ body: (String) throws -> Result)
    throws -> Result
{
    try withFile(Array(text.utf8), name: name, body)
}

/// Sequences of random lengths over a small catalogue, some of them empty or of one item.
func randomSequences(users: Int, items: Int, longest: Int, seed: UInt64) -> RaggedRows {
    var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
    return RaggedRows(
        (0..<users).map { _ in
            (0..<Int.random(in: 0...longest, using: &generator)).map { _ in
                Int32(Int.random(in: 0..<items, using: &generator))
            }
        }
    )
}
