import Foundation
package import GRDB
import Kernels

/// The tables of a store, as a list of named steps; new steps are only appended.
package enum Migrations {
    /// Marks an SQLite file as a store ("Dime" in ASCII).
    static let applicationID = 0x4469_6D65

    /// Every step, oldest first.
    ///
    /// Names sort in order, so that messages can name a store's newest step.
    package static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("001-versions") { db in
            try db.execute(sql: "PRAGMA application_id = \(applicationID)")
            try db.execute(sql: versions)
        }
        migrator.registerMigration("002-operations") { db in
            try db.execute(sql: operations)
            for row in try Row.fetchAll(db, sql: "SELECT id, number, at, model FROM activation") {
                let id = try row.integer(0, "activation")
                let digest = activationDigest(
                    id: id,
                    number: try row.integer(1, "activated version"),
                    at: try row.text(2, "time of activation"),
                    model: try row.text(3, "activated model")
                )
                try db.execute(sql: "UPDATE activation SET digest = ? WHERE id = ?", arguments: [digest, id])
            }
        }
        migrator.registerMigration("003-attributes") { db in try db.execute(sql: attributes) }
        return migrator
    }

    /// Applies the missing steps.
    ///
    /// If another process migrates the same store at the same time, one of our steps fails because it is already
    /// done. Then we continue from that point.
    static func apply(to writer: some DatabaseWriter) throws {
        while true {
            let before = try writer.read(migrator.appliedIdentifiers)
            do {
                return try migrator.migrate(writer)
            } catch {
                guard try writer.read(migrator.appliedIdentifiers) != before else { throw error }
            }
        }
    }

    /// A bundle is a header with its named blobs; versions and training states are bundles.
    ///
    /// Children are inserted before their parent, because the parent holds their digests: hence the deferred keys.
    private static let versions = """
        CREATE TABLE bundle (
            id INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            header BLOB NOT NULL,
            digest BLOB NOT NULL
        ) STRICT;
        CREATE TABLE blob (
            id INTEGER PRIMARY KEY,
            bundle INTEGER NOT NULL REFERENCES bundle (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            name TEXT NOT NULL,
            format TEXT NOT NULL,
            rows INTEGER NOT NULL,
            columns INTEGER NOT NULL,
            digest BLOB NOT NULL,
            UNIQUE (bundle, name)
        ) STRICT;
        CREATE TABLE chunk (
            blob INTEGER NOT NULL REFERENCES blob (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            position INTEGER NOT NULL,
            data BLOB NOT NULL,
            UNIQUE (blob, position)
        ) STRICT;
        CREATE TABLE model (
            name TEXT PRIMARY KEY NOT NULL,
            highest INTEGER NOT NULL,
            active INTEGER,
            digest BLOB NOT NULL
        ) STRICT;
        CREATE TABLE version (
            model TEXT NOT NULL REFERENCES model (name),
            number INTEGER NOT NULL,
            bundle INTEGER NOT NULL UNIQUE REFERENCES bundle (id),
            PRIMARY KEY (model, number)
        ) STRICT;
        CREATE TABLE activation (
            id INTEGER PRIMARY KEY,
            model TEXT NOT NULL,
            number INTEGER NOT NULL,
            at TEXT NOT NULL,
            FOREIGN KEY (model, number) REFERENCES version (model, number)
        ) STRICT;
        CREATE TABLE training_state (
            model TEXT PRIMARY KEY NOT NULL,
            bundle INTEGER NOT NULL UNIQUE REFERENCES bundle (id)
        ) STRICT;
        CREATE TRIGGER version_immutable BEFORE UPDATE ON version
            BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
        CREATE TRIGGER bundle_immutable BEFORE UPDATE ON bundle
            BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
        CREATE TRIGGER blob_immutable BEFORE UPDATE ON blob
            BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
        CREATE TRIGGER chunk_immutable BEFORE UPDATE ON chunk
            BEGIN SELECT RAISE(ABORT, 'versions are immutable'); END;
        """

    /// Aliases and item changes are JSON with a digest.
    ///
    /// Activations get a digest too, because a rollback trusts them. Their index detects a row that moved to another
    /// model. Numbers of item changes are never reused. An item's id is stored as bytes, because it may contain a
    /// NUL.
    private static let operations = """
        CREATE TABLE alias (
            name TEXT PRIMARY KEY NOT NULL,
            content TEXT NOT NULL,
            digest BLOB NOT NULL
        ) STRICT;
        CREATE TABLE item_change (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            model TEXT NOT NULL REFERENCES model (name),
            item BLOB NOT NULL,
            content TEXT NOT NULL,
            digest BLOB NOT NULL,
            UNIQUE (model, item)
        ) STRICT;
        ALTER TABLE activation ADD COLUMN digest BLOB NOT NULL DEFAULT x'';
        CREATE INDEX activation_of_model ON activation (model);
        """

    /// Changed values of attributes are JSON with a digest, one row for each item; numbers are never reused.
    private static let attributes = """
        CREATE TABLE attribute_change (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            model TEXT NOT NULL REFERENCES model (name),
            item BLOB NOT NULL,
            content TEXT NOT NULL,
            digest BLOB NOT NULL,
            UNIQUE (model, item)
        ) STRICT;
        """

    /// The digest of an entry of an activation history.
    static func activationDigest(id: Int, number: Int, at: String, model: String) -> Data {
        SHA256.row("activation", "\(id)", "\(number)", at, model)
    }

    /// The state of a database's schema compared with this program's.
    enum State: Equatable {
        /// No tables at all.
        case empty
        /// Some steps are missing; names the first of them.
        case older(missing: String)
        /// Every step was applied, and nothing else is in the schema.
        case current
    }

    /// Classifies a database; foreign, newer and altered ones throw.
    ///
    /// The schema is compared word for word before anything else is read. A view in place of a table, or a trigger,
    /// could make any other statement run without end.
    static func state(of db: Database, path: String) throws -> State {
        let references = try references()
        let most = references.last?.schema.count ?? 0
        let schema = try statements(of: db, atMost: most + 1)
        let reference = references.first { $0.schema == schema }
        let application = try Row.fetchOne(db, sql: "PRAGMA application_id")?.integer(0, "application id")
        if reference == nil {
            if schema.isEmpty, application == 0 { return .empty }
            guard application == applicationID else { throw CheckpointError.notAStore(path: path) }
        }
        // Read the list of steps only if it is the expected plain table.
        let list = references[0].schema.filter { $0.contains("grdb_migrations") }
        let isPlain = schema.filter { $0.contains("grdb_migrations") } == list
        let names = isPlain ? (try? appliedNames(in: db)) ?? [] : []
        let known = migrator.migrations
        // If a known name is missing, the list is damaged and cannot show newer steps.
        if Set(names).isSuperset(of: reference?.applied ?? known[..<1]),
            let unknown = names.filter({ !known.contains($0) }).max()
        {
            throw CheckpointError.newerSchema(path: path, found: unknown, supported: known.max() ?? "")
        }
        if let reference {
            guard let missing = known.first(where: { !reference.applied.contains($0) }) else { return .current }
            if names.elementsEqual(reference.applied) { return .older(missing: missing) }
        }
        throw CheckpointError.corrupted(
            what: "its tables and triggers are not those that this program creates",
            location: "'\(path)'"
        )
    }

    /// The expected schema after each step.
    private static func references() throws -> [(applied: ArraySlice<String>, schema: [String])] {
        let known = migrator.migrations
        return try known.indices.map { last in
            let reference = try DatabaseQueue()
            try migrator.migrate(reference, upTo: known[last])
            return (known[...last], try reference.read { try statements(of: $0, atMost: .max) })
        }
    }

    /// The names of the steps that were applied.
    private static func appliedNames(in db: Database) throws -> [String] {
        try Row.fetchAll(db, sql: "SELECT identifier FROM grdb_migrations ORDER BY rowid LIMIT 1000")
            .map { try $0.text(0, "migration name") }
    }

    /// The schema's statements, in a form that is equal for equal schemas.
    private static func statements(of db: Database, atMost count: Int) throws -> [String] {
        let sql = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema LIMIT ?"
        return try Row.fetchAll(db, sql: sql, arguments: [count]).map { row in
            try (0..<4).map { try row.text($0, "schema") }.joined(separator: "\u{0}")
        }.sorted()
    }
}

/// Columns with a checked type: a damaged file may hold any type, and GRDB's own conversions trap.
extension Row {
    /// An integer column.
    func integer(_ column: Int, _ what: String) throws -> Int {
        guard case .int64(let value) = (self[column] as DatabaseValue).storage, let value = Int(exactly: value) else {
            throw CheckpointError.corrupted(what: "\(what) is not an integer", location: "the store")
        }
        return value
    }

    /// An integer column, or nil for NULL.
    func optionalInteger(_ column: Int, _ what: String) throws -> Int? {
        (self[column] as DatabaseValue).isNull ? nil : try integer(column, what)
    }

    /// A text column.
    func text(_ column: Int, _ what: String) throws -> String {
        guard case .string(let value) = (self[column] as DatabaseValue).storage else {
            throw CheckpointError.corrupted(what: "\(what) is not text", location: "the store")
        }
        return value
    }
}
