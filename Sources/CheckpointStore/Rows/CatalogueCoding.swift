import Kernels

/// The stored form of tables of text: count, all lengths (UInt32), all UTF-8.
package enum TextTable {
    /// Encodes texts.
    package static func encode(_ texts: [String]) -> [UInt8] {
        var writer = LittleEndianWriter(reserving: 8 + texts.reduce(0) { $0 + 4 + $1.utf8.count })
        writer.append(UInt64(texts.count))
        for text in texts { writer.append(UInt32(text.utf8.count)) }
        for text in texts { writer.append(bytes: text.utf8) }
        return writer.bytes
    }

    /// Decodes texts; nil for anything that `encode` does not write.
    ///
    /// It allocates no more than the size of the bytes allows.
    package static func decode(_ bytes: [UInt8]) -> [String]? {
        var reader = LittleEndianReader(bytes)
        guard let count = reader.count(), let lengths = reader.int32s(count) else { return nil }
        var texts: [String] = []
        texts.reserveCapacity(count)
        for length in lengths {
            guard let slice = reader.bytes(Int(UInt32(bitPattern: length))),
                let text = String(validating: slice, as: UTF8.self)
            else { return nil }
            texts.append(text)
        }
        return reader.remaining == 0 ? texts : nil
    }
}

/// The stored form of lists of numbers: count, all lengths (UInt32), all numbers (Int32).
package enum NumberLists {
    /// Encodes lists.
    package static func encode(_ lists: [[Int32]]) -> [UInt8] {
        var writer = LittleEndianWriter(reserving: 8 + lists.reduce(0) { $0 + 4 + 4 * $1.count })
        writer.append(UInt64(lists.count))
        for list in lists { writer.append(UInt32(list.count)) }
        for list in lists { writer.append(list) }
        return writer.bytes
    }

    /// Decodes lists; nil for anything that `encode` does not write.
    ///
    /// It allocates no more than the size of the bytes allows.
    package static func decode(_ bytes: [UInt8]) -> [[Int32]]? {
        var reader = LittleEndianReader(bytes)
        guard let count = reader.count(), let lengths = reader.int32s(count) else { return nil }
        var lists: [[Int32]] = []
        lists.reserveCapacity(count)
        for length in lengths {
            guard let list = reader.int32s(Int(UInt32(bitPattern: length))) else { return nil }
            lists.append(list)
        }
        return reader.remaining == 0 ? lists : nil
    }
}

extension Checkpoint {
    /// The name under which the items' ids are stored.
    static let idsName = "catalogue/ids"
    private static let parameterPrefix = "parameter/"

    /// The version's parts by their names in the store.
    func blobs() -> [String: BlobContent] {
        var popular = LittleEndianWriter(reserving: popularity.count * 4)
        popular.append(popularity)
        var blobs: [String: BlobContent] = [
            Self.idsName: .bytes(TextTable.encode(catalogue.ids)),
            "catalogue/titles": .bytes(TextTable.encode(catalogue.titles)),
            "catalogue/category-names": .bytes(TextTable.encode(catalogue.categoryNames)),
            "catalogue/categories": .bytes(NumberLists.encode(catalogue.categories)),
            "popularity": .bytes(popular.bytes),
            "index": .bytes(index),
        ]
        for column in catalogue.attributes {
            blobs[AttributeColumn.blobPrefix + column.name] = .bytes(column.encoded())
        }
        for (name, matrix) in parameters { blobs[Self.parameterPrefix + name] = .matrix(matrix) }
        return blobs
    }

    /// Builds a version from its parts.
    ///
    /// - Parameters:
    ///   - manifest: The version's description.
    ///   - names: The names of all parts.
    ///   - location: The version's name in messages.
    ///   - matrix: Reads a matrix.
    ///   - bytes: Reads bytes.
    /// - Throws: ``CheckpointError/corrupted(what:location:)`` when a part is missing or the parts contradict each other.
    init(
        manifest: CheckpointManifest,
        names: [String],
        location: String,
        matrix: (String) throws -> Matrix,
        bytes: (String) throws -> [UInt8]
    ) throws {
        func decoded<Value>(_ name: String, _ decode: ([UInt8]) -> Value?) throws -> Value {
            guard let value = try decode(bytes(name)) else {
                throw CheckpointError.corrupted(what: "'\(name)' does not decode", location: location)
            }
            return value
        }
        func own(_ name: String, below prefix: String) -> String? {
            guard name.utf8.starts(with: prefix.utf8) else { return nil }
            return String(decoding: name.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        }
        var parameters: [String: Matrix] = [:]
        for name in names {
            if let own = own(name, below: Self.parameterPrefix) { parameters[own] = try matrix(name) }
        }
        let ids = try decoded(Self.idsName, TextTable.decode)
        let titles = try decoded("catalogue/titles", TextTable.decode)
        let categoryNames = try decoded("catalogue/category-names", TextTable.decode)
        let categories = try decoded("catalogue/categories", NumberLists.decode)
        guard titles.isEmpty || titles.count == ids.count, categories.isEmpty || categories.count == ids.count else {
            throw CheckpointError.corrupted(
                what: "\(titles.count) titles and \(categories.count) category lists for \(ids.count) items",
                location: location
            )
        }
        var attributes: [AttributeColumn] = []
        for name in names {
            guard let own = own(name, below: AttributeColumn.blobPrefix) else { continue }
            let column = try decoded(name) { AttributeColumn(name: own, stored: $0) }
            guard column.count == ids.count else {
                let what = "attribute '\(own)' has \(column.count) values for \(ids.count) items"
                throw CheckpointError.corrupted(what: what, location: location)
            }
            attributes.append(column)
        }
        let popularity = try decoded("popularity") { bytes in
            var reader = LittleEndianReader(bytes)
            return bytes.count % 4 == 0 ? reader.int32s(bytes.count / 4) : nil
        }
        self.init(
            manifest: manifest,
            parameters: parameters,
            catalogue: Catalogue(
                ids: ids,
                titles: titles,
                categoryNames: categoryNames,
                categories: categories,
                attributes: attributes
            ),
            popularity: popularity,
            index: try bytes("index")
        )
        if let contradiction { throw CheckpointError.corrupted(what: contradiction, location: location) }
    }

    /// How the parts contradict each other, or nil; O(items), does not read the parameters' values.
    var contradiction: String? {
        if manifest.items != catalogue.count {
            return "the manifest counts \(manifest.items) items, the catalogue \(catalogue.count)"
        }
        let items = 0..<Int32(clamping: catalogue.count)
        if let item = popularity.first(where: { !items.contains($0) }) {
            return "the popularity list names item \(item) of \(catalogue.count)"
        }
        let names = 0..<Int32(clamping: catalogue.categoryNames.count)
        for (item, list) in catalogue.categories.enumerated() {
            if let category = list.first(where: { !names.contains($0) }) {
                return "item \(item) has category \(category) of \(catalogue.categoryNames.count)"
            }
        }
        return catalogue.attributeContradiction
    }

    /// An id that two items share, or nil; slower than ``contradiction``, because it hashes every id.
    var repeatedID: String? {
        var seen = Set<ExactText>(minimumCapacity: catalogue.count)
        return catalogue.ids.first { !seen.insert(ExactText(text: $0)).inserted }
    }
}

/// A text that equals only a text of the same bytes; strings of one look in two forms of Unicode are equal.
private struct ExactText: Hashable {
    let text: String

    static func == (left: ExactText, right: ExactText) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }
}
