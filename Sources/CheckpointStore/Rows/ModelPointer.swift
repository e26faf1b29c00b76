import Foundation
import GRDB
import Kernels

/// A model's highest version number and its active version, with a digest: a flipped bit must not activate another version.
///
/// The versions and the activation history determine both numbers. So a damaged row loses nothing: reading rebuilds
/// it, and the next change stores it again.
struct ModelPointer {
    /// The highest allowed number, so that a foreign file cannot use up all numbers.
    private static let limit = Int(Int32.max)

    let name: String
    private(set) var highest = 0
    var active: Int?
    /// The damage of the stored row, if this one was rebuilt.
    private(set) var damage: StoreDamage?

    init(name: String) { self.name = name }

    /// Reads a model's row; nil when the model has neither a row nor a version.
    ///
    /// - Parameters:
    ///   - name: The model's name.
    ///   - db: The database.
    ///   - stored: The numbers of all versions, when they are known already.
    /// - Throws: SQLite's errors other than damage.
    init?(_ name: String, in db: Database, _ stored: StoredNumbers? = nil) throws {
        self.name = name
        let numbers = try (stored ?? StoredNumbers(in: db)).versions(of: name)
        let row = try Self.row(of: name, in: db)
        if let row, read(row) {
            // A damaged number may be above all assigned ones; the next number must not equal it.
            highest = max(highest, min(numbers.last ?? 0, Self.limit - 1))
            return
        }
        guard row != nil || !numbers.isEmpty else { return nil }
        damage = StoreDamage(
            location: "model '\(name)'",
            what: row == nil ? "its row is missing" : "the digest of its active version does not match"
        )
        try rebuild(numbers, in: db)
    }

    /// A model's row by the index, or by a scan when the index, which may be damaged, has none.
    private static func row(of name: String, in db: Database) throws -> Row? {
        let columns = "SELECT highest, active, digest FROM model"
        for source in ["", " NOT INDEXED"] {
            let sql = "\(columns)\(source) WHERE name = ?"
            if let row = try ReadableRows(db, sql: sql, arguments: [name], of: "model").rows.first { return row }
        }
        return nil
    }

    /// Derives the highest number and the active version from the versions and the activation history.
    mutating func rebuild(_ numbers: [Int], in db: Database) throws {
        let history = try ActivationHistory(of: name, in: db).entries.map(\.number)
        highest = min(max(numbers.last ?? 0, history.max() ?? 0), Self.limit - 1)
        active = history.last { numbers.contains($0) } ?? numbers.last { Bundle.isReadable(name, $0, in: db) }
    }

    /// Copies a stored row, unless it is damaged.
    private mutating func read(_ row: Row) -> Bool {
        var stored = ModelPointer(name: name)
        do {
            stored.highest = try row.integer(0, "highest version")
            stored.active = try row.optionalInteger(1, "active version")
            guard try row.bytes(2, "digest of model") == stored.digest, 0...Self.limit ~= stored.highest else {
                return false
            }
        } catch {
            return false
        }
        self = stored
        return true
    }

    /// Assigns a new version's number: the wanted one if it is above all that the model ever had, else the next.
    mutating func takeNumber(wanted: Int = 0) throws -> Int {
        let (next, overflow) = highest.addingReportingOverflow(1)
        let number = max(wanted, overflow ? .max : next)
        guard number <= Self.limit else {
            throw CheckpointError.invalid(reason: "\(number) is above \(Self.limit), the highest version number")
        }
        highest = number
        return number
    }

    func save(in db: Database) throws {
        // The index would find a damaged name, and the row would not be written.
        if damage != nil { try db.execute(sql: "REINDEX model") }
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

/// The numbers of all stored versions, read without an index, because a damaged index may hide some.
struct StoredNumbers {
    private let numbers: [String: [Int]]
    /// The damage that hides some, or nil.
    let damage: StoreDamage?

    init(in db: Database) throws {
        let sql = "SELECT model, number FROM version NOT INDEXED"
        let readable = try ReadableRows(db, sql: sql, of: "version")
        var numbers: [String: [Int]] = [:]
        for row in readable.rows {
            guard let model = try? row.text(0, "model of a version"), let number = try? row.integer(1, "version number")
            else { continue }
            numbers[model, default: []].append(number)
        }
        self.numbers = numbers.mapValues { $0.sorted() }
        damage = readable.damage
    }

    /// The names of all models that have a version, sorted.
    var models: [String] { numbers.keys.sorted() }

    /// The versions of a model, oldest first.
    func versions(of model: String) -> [Int] { numbers[model] ?? [] }
}

extension SHA256 {
    /// The digest of a row over its own fields; `kind` keeps a row of one table from replacing one of another.
    ///
    /// Only the last field may contain a line feed.
    static func row(_ kind: String, _ fields: String...) -> Data {
        Data(hash(Array((["dimerec \(kind) 1"] + fields).joined(separator: "\n").utf8).span))
    }
}
