package import Serving

/// Reads the field `filter` of a request, and remembers the trees of recent filters by their text.
///
/// Applications send few different filters, and send each one again in the same bytes. A remembered filter costs a
/// comparison of bytes, without an allocation.
struct FilterReader {
    private struct Remembered {
        let text: [UInt8]
        let filter: ItemFilter
    }

    private static let mostRemembered = 16
    private static let longestRemembered = 4096

    private var remembered: [Remembered] = []
    private var oldest = 0

    /// A reader without memory of filters.
    init() {}

    /// Reads the next value, an object of `any_of`, `none_of`, `must`, `should`, `minimum` and `must_not`, or null.
    ///
    /// - Parameters:
    ///   - reader: Stands before the value.
    ///   - pointer: The pointer of the value, for errors.
    ///   - categories: Receives `any_of` and `none_of` if the filter has no other fields.
    ///   - conditions: Receives the whole filter otherwise, else nil.
    /// - Throws: ``JSONSyntaxError``, or ``ContractViolation`` with a pointer that starts with `pointer`.
    mutating func read(
        _ reader: inout JSONReader,
        at pointer: String = "/filter",
        into categories: inout CategoryFilter,
        _ conditions: inout ItemFilter?
    ) throws {
        conditions = nil
        if try reader.isNull() { return }
        try reader.expect(.object, at: pointer)
        let start = reader.position
        if let known = remembered.first(where: { reader.stands(before: $0.text) }) {
            reader.position += known.text.count
            conditions = known.filter
            return
        }
        var parser = FilterParser()
        guard let group = try parser.readFilter(&reader, at: pointer, into: &categories) else { return }
        let filter = ItemFilter(group)
        conditions = filter
        remember(filter, by: reader.bytes[start..<reader.position])
    }

    private mutating func remember(_ filter: ItemFilter, by text: ArraySlice<UInt8>) {
        guard text.count <= Self.longestRemembered else { return }
        let entry = Remembered(text: Array(text), filter: filter)
        if remembered.count < Self.mostRemembered {
            remembered.append(entry)
        } else {
            remembered[oldest] = entry
            oldest = (oldest + 1) % Self.mostRemembered
        }
    }
}

extension RetrievalRequest {
    /// Sets the filter from its JSON form.
    ///
    /// - Throws: A ``Problem`` with a pointer that starts with `/filter`.
    package mutating func setFilter(json: [UInt8]) throws(Problem) {
        do {
            var (filters, reader) = (FilterReader(), JSONReader(json))
            try filters.read(&reader, into: &filter, &conditions)
            try reader.end()
        } catch {
            throw Problem(error, in: json)
        }
    }
}

extension JSONReader {
    /// Whether the text goes on with some bytes.
    fileprivate func stands(before text: [UInt8]) -> Bool {
        guard text.count <= bytes.count - position else { return false }
        let (own, other) = (bytes.span, text.span)
        for index in 0..<other.count where own[position + index] != other[index] { return false }
        return true
    }
}

/// Reads one filter and counts its clauses and values.
private struct FilterParser {
    private typealias Limits = ItemFilter.Limits

    private var clauses = 0
    private var values = 0

    /// Reads a whole filter; nil if it has only category lists, which go into `categories`.
    mutating func readFilter(
        _ reader: inout JSONReader,
        at pointer: String,
        into categories: inout CategoryFilter
    ) throws -> ItemFilter.Group? {
        var group = ItemFilter.Group()
        var hasClauses = false
        try fields(&reader, at: pointer, of: "a filter", ["any_of", "none_of"] + Self.groupFields) {
            parser,
            reader,
            name,
            pointer in
            switch name {
            case "any_of": try reader.names(at: pointer, into: &categories.anyOf)
            case "none_of": try reader.names(at: pointer, into: &categories.noneOf)
            default:
                hasClauses = true
                try parser.readField(name, &reader, at: pointer, depth: 1, into: &group)
            }
        }
        guard hasClauses else { return nil }
        try checkMinimum(&group, at: pointer)
        let lists = categories.clauses
        categories.removeAll()
        group.must += lists.must
        group.mustNot += lists.mustNot
        return group
    }

    // MARK: Groups

    private static let groupFields = ["must", "should", "minimum", "must_not"]
    private static let tests = ["match", "any", "none", "range", "exists"]

    private mutating func readField(
        _ name: String,
        _ reader: inout JSONReader,
        at pointer: String,
        depth: Int,
        into group: inout ItemFilter.Group
    ) throws {
        switch name {
        case "must": group.must = try readClauses(&reader, at: pointer, depth: depth)
        case "should": group.should = try readClauses(&reader, at: pointer, depth: depth)
        case "must_not": group.mustNot = try readClauses(&reader, at: pointer, depth: depth)
        default: group.minimum = try reader.integer(at: pointer, in: 0...Limits.listed)
        }
    }

    private func checkMinimum(_ group: inout ItemFilter.Group, at pointer: String) throws {
        if group.should.isEmpty, group.minimum == 1 { return }
        let range = 0...group.should.count
        guard range.contains(group.minimum) else {
            let message = range.requirement(got: group.minimum) + " The limit is the number of clauses in 'should'."
            throw ContractViolation(pointer: pointer + "/minimum", message: message)
        }
    }

    private mutating func readClauses(
        _ reader: inout JSONReader,
        at pointer: String,
        depth: Int
    ) throws -> [ItemFilter.Clause] {
        try reader.expect(.array, at: pointer)
        reader.enter()
        var list: [ItemFilter.Clause] = []
        var isFirst = true
        while try reader.nextElement(isFirst: &isFirst) {
            let place = "\(pointer)/\(list.count)"
            clauses += 1
            guard clauses <= Limits.clauses else {
                let message = "is clause \(clauses); a filter has at most \(Limits.clauses)."
                throw ContractViolation(pointer: place, message: message)
            }
            guard list.count < Limits.listed else {
                let message = "is clause \(list.count + 1) of its list; a list has at most \(Limits.listed)."
                throw ContractViolation(pointer: place, message: message)
            }
            list.append(try readClause(&reader, at: place, depth: depth))
        }
        return list
    }

    /// Reads a group, a list of ids, or a test of an attribute.
    private mutating func readClause(
        _ reader: inout JSONReader,
        at pointer: String,
        depth: Int
    ) throws -> ItemFilter.Clause {
        var (key, ids, test): (String?, [String]?, ItemFilter.Test?)
        var group: ItemFilter.Group?
        try fields(&reader, at: pointer, of: "a clause", ["key", "ids"] + Self.tests + Self.groupFields) {
            parser,
            reader,
            name,
            place in
            switch name {
            case "key": key = try reader.text(at: place)
            case "ids": ids = try parser.readIDs(&reader, at: place)
            case _ where Self.groupFields.contains(name):
                guard depth < Limits.depth else {
                    let message = "is nested deeper than \(Limits.depth) groups."
                    throw ContractViolation(pointer: place, message: message)
                }
                var nested = group ?? ItemFilter.Group()
                try parser.readField(name, &reader, at: place, depth: depth + 1, into: &nested)
                group = nested
            default:
                guard test == nil else {
                    let message = "is a second test; a clause has one of \(Self.tests.joined(separator: ", "))."
                    throw ContractViolation(pointer: place, message: message)
                }
                test = try parser.readTest(name, &reader, at: place)
            }
        }
        if var group {
            try checkMinimum(&group, at: pointer)
            if key == nil, test == nil, ids == nil { return .group(group) }
        } else if let ids {
            if key == nil, test == nil { return .ids(ids) }
        } else if let key, let test {
            return .attribute(key, test)
        }
        let message =
            "must be a group (\(Self.groupFields.joined(separator: ", "))), a list of 'ids', or a 'key' with one of "
            + "\(Self.tests.joined(separator: ", "))."
        throw ContractViolation(pointer: pointer, message: message)
    }

    // MARK: Tests

    private mutating func readTest(
        _ name: String,
        _ reader: inout JSONReader,
        at pointer: String
    ) throws -> ItemFilter.Test {
        switch name {
        case "match": return .match(try readValue(&reader, at: pointer))
        case "any": return .any(try readValues(&reader, at: pointer))
        case "none": return .none(try readValues(&reader, at: pointer))
        case "exists": return .exists(try reader.boolean(at: pointer))
        default: return try readRange(&reader, at: pointer)
        }
    }

    private mutating func readRange(_ reader: inout JSONReader, at pointer: String) throws -> ItemFilter.Test {
        var (lower, upper): (ItemFilter.Bound?, ItemFilter.Bound?)
        try fields(&reader, at: pointer, of: "a range", ["gt", "gte", "lt", "lte"]) { parser, reader, name, place in
            let isLower = name.hasPrefix("g")
            guard isLower ? lower == nil : upper == nil else {
                let end = isLower ? "lower end; give gt or gte" : "upper end; give lt or lte"
                let message = "is a second \(end)."
                throw ContractViolation(pointer: place, message: message)
            }
            let bound = ItemFilter.Bound(try parser.readValue(&reader, at: place), isInclusive: name.hasSuffix("e"))
            if isLower { lower = bound } else { upper = bound }
        }
        guard lower != nil || upper != nil else {
            throw ContractViolation(pointer: pointer, message: "is empty; give at least one of gt, gte, lt and lte.")
        }
        return .range(lower: lower, upper: upper)
    }

    private mutating func readValues(_ reader: inout JSONReader, at pointer: String) throws -> [ItemFilter.Value] {
        try reader.expect(.array, at: pointer)
        reader.enter()
        var list: [ItemFilter.Value] = []
        var isFirst = true
        while try reader.nextElement(isFirst: &isFirst) {
            list.append(try readValue(&reader, at: "\(pointer)/\(list.count)"))
        }
        return list
    }

    private mutating func readValue(_ reader: inout JSONReader, at pointer: String) throws -> ItemFilter.Value {
        try count(1, at: pointer)
        switch try reader.kind() {
        case .number: return .number(try reader.double(at: pointer))
        case .boolean: return .boolean(try reader.boolean(at: pointer))
        case .string: return .text(try reader.text(at: pointer))
        case let kind:
            let message = "is \(kind.rawValue); a number, a boolean or a string is expected."
            throw ContractViolation(pointer: pointer, message: message)
        }
    }

    private mutating func readIDs(_ reader: inout JSONReader, at pointer: String) throws -> [String] {
        var list = IdentifierList()
        _ = try reader.identifiers(at: pointer, into: &list)
        try count(list.count, at: pointer)
        return list.strings
    }

    private mutating func count(_ added: Int, at pointer: String) throws {
        values += added
        guard values <= Limits.values else {
            let message = "is more than the filter may have: at most \(Limits.values) values in all clauses."
            throw ContractViolation(pointer: pointer, message: message)
        }
    }

    /// Reads an object of some fields, each at most once.
    private mutating func fields(
        _ reader: inout JSONReader,
        at pointer: String,
        of what: String,
        _ names: [String],
        _ read: (inout FilterParser, inout JSONReader, String, String) throws -> Void
    ) throws {
        try reader.members(at: pointer, of: what, names) { reader, name, place in
            try read(&self, &reader, name, place)
        }
    }
}
