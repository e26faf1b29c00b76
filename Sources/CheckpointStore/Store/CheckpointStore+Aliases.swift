import Foundation
import GRDB
import Kernels

extension CheckpointStore {
    /// All intact aliases, sorted by name.
    public func aliases() throws(CheckpointError) -> [Alias] {
        try read { try aliases(in: $0) }
    }

    /// Whether ``aliases()`` omits aliases because they are damaged.
    public func hasDamagedAliases() throws(CheckpointError) -> Bool {
        try read { try !storedAliases(in: $0).damage.isEmpty }
    }

    /// Adds an alias or replaces the one of that name.
    ///
    /// - Parameters:
    ///   - alias: The alias; its revision is ignored and assigned.
    ///   - ifRevision: The revision that the alias must have, 0 if it must not exist; nil accepts any.
    /// - Returns: The alias with its revision.
    /// - Throws: ``CheckpointError/revisionMismatch(alias:expected:found:)``,
    ///   ``CheckpointError/modelNotFound(model:available:)`` or
    ///   ``CheckpointError/versionNotFound(model:version:available:)`` for an unknown model or version, and
    ///   ``CheckpointError/invalid(reason:)`` when it contradicts itself or its name is a model's.
    public func setAlias(_ alias: Alias, ifRevision: Int? = nil) throws(CheckpointError) -> Alias {
        if let contradiction = alias.contradiction { throw .invalid(reason: contradiction) }
        return try write { db in
            var alias = alias
            let found = try revision(of: alias.name, in: db) ?? 0
            try require(ifRevision, of: alias.name, found: found)
            if found == 0, let fault = alias.nameFault { throw CheckpointError.invalid(reason: fault) }
            alias.revision = found + 1
            guard try ModelPointer(alias.name, in: db) == nil else {
                throw CheckpointError.invalid(reason: "'\(alias.name)' is the name of a model, so no alias can have it")
            }
            _ = try pointer(of: alias.model, in: db)
            let others = try aliases(in: db)
            for name in alias.blend?.models.dropFirst() ?? [] {
                if let other = others.first(where: { $0.name == name }), other.blend == nil { continue }
                _ = try pointer(of: name, in: db)
            }
            for share in alias.split { _ = try find(model: alias.model, version: share.version, in: db) }
            let content = String(decoding: try encoded(alias), as: UTF8.self)
            // The index would find a damaged name, and the alias would not be written.
            if try !storedAliases(in: db).damage.isEmpty { try db.execute(sql: "REINDEX alias") }
            try db.execute(
                sql: """
                    INSERT INTO alias (name, content, digest) VALUES (?, ?, ?)
                    ON CONFLICT (name) DO UPDATE SET content = excluded.content, digest = excluded.digest
                    """,
                arguments: [alias.name, content, SHA256.row("alias", content)]
            )
            return alias
        }
    }

    /// Removes an alias.
    ///
    /// - Parameters:
    ///   - name: The alias' name.
    ///   - ifRevision: The revision that it must have; nil accepts any.
    /// - Throws: ``CheckpointError/aliasNotFound(alias:available:)`` and
    ///   ``CheckpointError/revisionMismatch(alias:expected:found:)``.
    public func removeAlias(_ name: String, ifRevision: Int? = nil) throws(CheckpointError) {
        try write { db in
            guard let found = try revision(of: name, in: db) else {
                let isDamaged = try storedAliases(in: db).damage.contains { $0.location == "alias '\(name)'" }
                if isDamaged, ifRevision == nil {
                    return try db.execute(sql: "DELETE FROM alias NOT INDEXED WHERE name = ?", arguments: [name])
                }
                throw CheckpointError.aliasNotFound(alias: name, available: try aliases(in: db).map(\.name))
            }
            try require(ifRevision, of: name, found: found)
            try db.execute(sql: "DELETE FROM alias WHERE name = ?", arguments: [name])
        }
    }

    // MARK: Rows

    func aliases(in db: Database) throws -> [Alias] { try storedAliases(in: db).intact }

    /// All aliases, read without the index: the intact ones by name, and the damage of the others.
    func storedAliases(in db: Database) throws -> DigestedRows<Alias> {
        let sql = "SELECT rowid, name, content, digest FROM alias NOT INDEXED"
        var rows = try DigestedRows<Alias>(db, sql: sql, named: "alias") { row in
            let (name, content) = (try row.text(1, "alias"), try row.text(2, "content of alias"))
            func damaged(_ what: String) -> CheckpointError { .corrupted(what: what, location: "alias '\(name)'") }
            guard try row.bytes(3, "digest of alias") == SHA256.row("alias", content) else {
                throw damaged("its digest does not match")
            }
            let alias = try JSONDecoder().decode(Alias.self, from: Data(content.utf8))
            guard alias.name.utf8.elementsEqual(name.utf8), alias.contradiction == nil,
                1...Int(Int32.max) ~= alias.revision
            else {
                throw damaged(alias.contradiction ?? "it belongs to '\(alias.name)'")
            }
            return alias
        }
        rows.intact.sort { $0.name < $1.name }
        return rows
    }

    /// Rejects a new model with the name of an alias, because requests could not tell them apart.
    func requireNoAlias(_ model: String, in db: Database) throws {
        guard try !aliases(in: db).contains(where: { $0.name == model }) else {
            throw CheckpointError.invalid(reason: "'\(model)' is the name of an alias, so no model can have it")
        }
    }

    private func revision(of name: String, in db: Database) throws -> Int? {
        try aliases(in: db).first { $0.name.utf8.elementsEqual(name.utf8) }?.revision
    }

    private func require(_ expected: Int?, of name: String, found: Int) throws(CheckpointError) {
        guard let expected, expected != found else { return }
        throw .revisionMismatch(alias: name, expected: expected, found: found)
    }
}

extension Alias {
    /// Why no new alias may have this name, or nil if one may: a part of a URL's path must be able to name it, a terminal
    /// must be able to print it, and no other name may look the same.
    ///
    /// Stores of earlier versions may hold such aliases, which stay in service until they are removed.
    package var nameFault: String? {
        let refusal = "\(name.debugDescription) cannot be the name of an alias, because "
        if name.utf8.contains(UInt8(ascii: "/")) || name == "." || name == ".." {
            return refusal + "proxies and clients take it for a path; use a name without '/', and neither '.' nor '..'"
        }
        if name.utf8.count > Self.longestName { return refusal + "it is longer than \(Self.longestName) bytes" }
        let isPrintable = name.unicodeScalars.allSatisfy {
            ![.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
        }
        guard isPrintable else { return refusal + "it has characters that are not printed" }
        guard name.utf8.elementsEqual(name.precomposedStringWithCanonicalMapping.utf8) else {
            return refusal + "it is not in Unicode's normal form C, so another name may look the same"
        }
        return nil
    }

    /// The most UTF-8 bytes of a new alias' name.
    private static let longestName = 256

    /// Why every store rejects the alias, or nil if it is consistent.
    package var contradiction: String? {
        if name.isEmpty || name.utf8.contains(0) { return "\(name.debugDescription) is not a valid name for an alias" }
        if let share = split.first(where: { !(0...100).contains($0.percent) }) {
            return "version \(share.version) has \(share.percent) percent of '\(name)', outside 0 to 100"
        }
        if Set(split.map(\.version)).count < split.count { return "the split of '\(name)' names a version twice" }
        let sum = split.reduce(0) { $0 + $1.percent }
        if !split.isEmpty, abs(sum - 100) > 1e-6 { return "the split of '\(name)' adds up to \(sum) percent, not 100" }
        if !(0...100).contains(shadow) { return "the shadow of '\(name)' is \(shadow) percent, outside 0 to 100" }
        if split.count < 2, shadow > 0 || `guard` != nil {
            return "'\(name)' has a shadow or a guard, but no second version in its split"
        }
        if let blend {
            if let fault = blend.fault(most: Int(Int32.max)) { return "\(fault.field) of '\(name)' \(fault.message)" }
            if blend.models.first != model { return "the first model among the sources of '\(name)' is not '\(model)'" }
            if !split.isEmpty { return "'\(name)' has sources and a split; name an alias with a split as a source" }
        }
        return `guard`?.contradiction(in: name)
    }
}

extension Alias.Guard {
    fileprivate func contradiction(in name: String) -> String? {
        if maxErrorRate == nil, maxP99Ms == nil { return "the guard of '\(name)' bounds neither errors nor times" }
        if let rate = maxErrorRate, !(rate > 0 && rate <= 1) {
            return "the guard of '\(name)' allows an error rate of \(rate); it must be above 0 and at most 1"
        }
        if let time = maxP99Ms, !(time > 0 && time.isFinite) {
            return "the guard of '\(name)' allows a 99th percentile of \(time) ms; it must be finite and above 0"
        }
        return minRequests < 1 ? "the guard of '\(name)' waits for \(minRequests) requests; it must be 1 or more" : nil
    }
}
