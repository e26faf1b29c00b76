import Kernels

/// The stored form of an attribute: its type, then its values.
///
/// Numbers are a count and 64-bit floating-point numbers, with NaN for a missing value. Texts are the size of a
/// ``TextTable``, the table, and ``NumberLists`` of positions in it.
extension AttributeColumn {
    /// The beginning of a column's name in the store; the attribute's name follows.
    static let blobPrefix = "attribute/"

    /// The number of a type in the stored form; never changes.
    private static let codes: [AttributeType: UInt32] = [
        .number: 1, .integer: 2, .boolean: 3, .time: 4, .keyword: 5, .keywords: 6,
    ]

    /// The stored form.
    func encoded() -> [UInt8] {
        var writer = LittleEndianWriter()
        writer.append(Self.codes[type] ?? 0)
        switch values {
        case .numbers(let numbers):
            writer.append(UInt64(numbers.count))
            for number in numbers { writer.append((number.isNaN ? Double.nan : number).bitPattern) }
        case .texts(let names, let lists):
            let table = TextTable.encode(names)
            writer.append(UInt64(table.count))
            writer.append(bytes: table)
            writer.append(bytes: NumberLists.encode(lists))
        }
        return writer.bytes
    }

    /// Reads a stored form; nil for anything that ``encoded()`` does not write.
    ///
    /// It allocates no more than the size of the bytes allows.
    init?(name: String, stored bytes: [UInt8]) {
        var reader = LittleEndianReader(bytes)
        guard let code = reader.integer(UInt32.self),
            let type = AttributeType.allCases.first(where: { Self.codes[$0] == code }), let count = reader.count()
        else { return nil }
        if type.isText {
            guard let table = reader.bytes(count), let names = TextTable.decode(Array(table)),
                let rest = reader.bytes(reader.remaining), let lists = NumberLists.decode(Array(rest))
            else { return nil }
            self.init(name: name, type: type, values: .texts(names: names, lists: lists))
            return
        }
        guard count == reader.remaining / 8, reader.remaining % 8 == 0 else { return nil }
        var numbers: [Double] = []
        numbers.reserveCapacity(count)
        while let bits = reader.integer(UInt64.self) { numbers.append(Double(bitPattern: bits)) }
        self.init(name: name, type: type, values: .numbers(numbers))
    }
}

extension Catalogue {
    /// How the attributes contradict the catalogue or each other, or nil.
    ///
    /// - Complexity: O(items * attributes).
    package var attributeContradiction: String? {
        var names = Set<String>()
        for column in attributes {
            guard names.insert(column.name).inserted else { return "attribute '\(column.name)' is stored twice" }
            if let contradiction = column.contradiction(items: count) { return contradiction }
        }
        return nil
    }
}
