/// A JSON object or list in a field of a record, and the filters of jq that make fields of its values.
struct NestedField: Sendable, Equatable {
    enum Kind {
        /// An object.
        case object
        /// A list of objects: a row each.
        case objects
        /// A list of texts or numbers: a row each.
        case values
    }

    let kind: Kind
    /// The members of the object, or of the first object of the list.
    private let members: [String]
    /// Whether a member is an object or a list itself.
    private let isDeep: Bool

    /// Describes an object or a list with its brackets.
    init(_ bytes: [UInt8]) {
        let isObject = bytes.first == UInt8(ascii: "{")
        let element = isObject ? nil : JSONLine.firstElement(of: bytes)
        kind = isObject ? .object : element?.form == .nested ? .objects : .values
        (members, isDeep) = kind == .values ? ([], false) : JSONLine.members(of: element?.bytes ?? bytes)
    }

    /// How jq names a field of a record, such as `.item` or `.["an item"]`.
    static func path(to field: String) -> String {
        let step = step(to: field)
        return step.hasPrefix(".") ? step : "." + step
    }

    /// How jq goes on from an object to a member.
    static func step(to member: String) -> String {
        let isName = member.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || byte == UInt8(ascii: "_") || 0x30...0x39 ~= byte
        }
        let startsLikeName = member.utf8.first.map { !(0x30...0x39 ~= $0) } ?? false
        return isName && startsLikeName ? ".\(member)" : "[\"\(member)\"]"
    }

    /// The most objects and lists inside one another in which ``pathToFirstValue(of:)`` looks for a value.
    static let mostLevels = 16

    /// How jq names the first text, number or flag in an object or a list, those of its own level first; nil without one.
    ///
    /// Every level reads the bytes inside it again.
    ///
    /// - Precondition: The object or list has at most ``mostLevels`` levels.
    static func pathToFirstValue(of bytes: [UInt8]) -> String? {
        guard bytes.first == UInt8(ascii: "{") else {
            guard let (element, form) = JSONLine.firstElement(of: bytes) else { return nil }
            guard form == .nested || form == .list else { return form == .missing ? nil : "[0]" }
            return pathToFirstValue(of: element).map { "[0]" + $0 }
        }
        var (own, deeper): (String?, String?) = (nil, nil)
        try? JSONLine.forEachMember(bytes, in: bytes.indices) { (name, value) throws(JSONLine.Fault) in
            let path = step(to: String(decoding: bytes[name.start..<name.end], as: UTF8.self))
            switch value.form {
            case .plain, .quoted, .escaped: own = own ?? path
            case .nested, .list:
                deeper = deeper ?? pathToFirstValue(of: Array(bytes[value.start..<value.end])).map { path + $0 }
            case .doubledQuotes, .missing: break
            }
        }
        return own ?? deeper
    }

    /// Makes a field of every value in objects, named by its path, such as `user_id` for `.user.id`.
    private static let flattening =
        #"[paths(scalars) as $p | {key: ($p | map(tostring) | join("_")), value: getpath($p)}] | from_entries"#

    /// A filter that makes fields of the values in some columns.
    ///
    /// The fields keep their names, unless two would have the same one or an object has objects in it.
    ///
    /// - Parameters:
    ///   - columns: The columns that hold objects or lists.
    ///   - all: All columns.
    /// - Returns: The filter; nil without columns.
    static func filter(for columns: [CSVError.FoundColumn], among all: [CSVError.FoundColumn]) -> String? {
        let nested = columns.compactMap { column in column.nested.map { (path: path(to: column.name), field: $0) } }
        guard !nested.isEmpty else { return nil }
        // The rows of two lists would multiply, and a list of texts beside objects is most often one of tags.
        let hasObjects = nested.contains { $0.field.kind != .values }
        let list = nested.first { $0.field.kind == (hasObjects ? .objects : .values) }
        let objects = nested.filter { $0.field.kind == .object }
        let lists = list.map { [$0] } ?? []
        let names = all.filter { $0.nested == nil }.map(\.name) + (objects + lists).flatMap(\.field.members)
        let isFlat = Set(names).count == names.count && !(objects + lists).contains { $0.field.isDeep }
        func merging(_ parts: [(path: String, field: NestedField)]) -> String? {
            guard !parts.isEmpty else { return nil }
            let values = parts.map { part in
                switch part.field.kind {
                case .object: part.path
                case .objects: part.path + "[]"
                case .values: "{item: \(part.path)[]}"
                }
            }
            return "del(\(parts.map(\.path).joined(separator: ", "))) + \(values.joined(separator: " + "))"
        }
        guard isFlat else { return [merging(lists), flattening].compactMap(\.self).joined(separator: " | ") }
        return merging(objects + lists)
    }
}
