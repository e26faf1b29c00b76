import Crypto
import Foundation
import GRDB

/// The only row of a model that changes, with a digest of its own: a flipped bit must not activate another version.
struct ModelPointer {
    /// Numbers above this are refused, so that a file of others cannot use them up.
    private static let limit = Int(Int32.max)

    let name: String
    private(set) var highest = 0
    var active: Int?

    init(name: String) { self.name = name }

    /// Reads a model's row; nil when there is no such model.
    init?(_ name: String, in db: Database) throws {
        let sql = "SELECT highest, active, digest FROM model WHERE name = ?"
        guard let row = try Row.fetchOne(db, sql: sql, arguments: [name]) else { return nil }
        self.name = name
        highest = try row.integer(0, "highest version")
        active = try row.optionalInteger(1, "active version")
        guard try row.bytes(2, "digest of model") == digest, 0...Self.limit ~= highest else {
            throw CheckpointError.corrupted(
                what: "the digest of its active version does not match",
                location: "model '\(name)'"
            )
        }
    }

    /// Takes the number of a new version: the wanted one when it is above all that the model ever had, else the next.
    mutating func takeNumber(wanted: Int = 0) throws -> Int {
        let number = max(wanted, highest + 1)
        guard number <= Self.limit else {
            throw CheckpointError.invalid(reason: "\(number) is above \(Self.limit), the highest version number")
        }
        highest = number
        return number
    }

    func save(in db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO model (name, highest, active, digest) VALUES (?, ?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET
                    highest = excluded.highest, active = excluded.active, digest = excluded.digest
                """,
            arguments: [name, highest, active, digest]
        )
    }

    private var digest: Data {
        SHA256.row("model", "\(highest)", active.map(String.init) ?? "none", name)
    }
}

extension SHA256 {
    /// The digest that a row holds of its own fields; `kind` keeps rows of one table from standing in for another's.
    ///
    /// Only the last field may contain a line feed.
    static func row(_ kind: String, _ fields: String...) -> Data {
        Data(hash(data: Data((["dimerec \(kind) 1"] + fields).joined(separator: "\n").utf8)))
    }
}
