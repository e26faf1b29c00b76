/// Converts check-ins of Gowalla or Brightkite to a folder with `events.csv` and `items.csv`.
///
/// A row has user, time in UTC, latitude, longitude and place, between tabs and without a header. The place is the item;
/// its position becomes the attributes `latitude` and `longitude`, from the row that the file lists first. Rows without
/// a time or a place are dropped, as are Brightkite's with a place of zeros. Repeated check-ins are kept.
public struct GowallaImport: Sendable {
    /// `loc-gowalla_totalCheckins.txt` or `loc-brightkite_totalCheckins.txt`; compressed too.
    public var checkIns: String
    /// Keep users and places with as many check-ins among each other; 0 and 1 keep all.
    public var core = 5

    /// An import with the default filters.
    public init(checkIns: String) {
        self.checkIns = checkIns
    }

    /// Reads the file and writes the folder.
    ///
    /// - Parameter folder: The target folder; missing or empty.
    /// - Returns: Counts.
    /// - Throws: `CSVError` with file, line and column, ``ImportError`` or `SystemCallError`; leaves nothing behind.
    /// - Complexity: O(n r) in check-ins and rounds of the core; 24 bytes a check-in plus the ids.
    public func run(into folder: String) throws -> ImportSummary {
        try DatasetFolder.requireFree(folder)
        var reader = try CSVReader(
            file: checkIns,
            dialect: .separated(by: UInt8(ascii: "\t")),
            header: ["user", "time", "latitude", "longitude", "place"]
        )
        var (log, rows) = (InteractionLog(), 0)
        var positions: [(latitude: String, longitude: String)] = []
        while try reader.next() {
            rows += 1
            let user = try reader.id(0)
            let place = reader.field(4)
            guard !reader.field(1).isEmpty, place.contains(where: { $0 != UInt8(ascii: "0") }) else { continue }
            let time = try reader.time(1)
            log.append(user: user, item: try reader.id(4), timestamp: Timestamp(Double(time)))
            guard positions.count < log.items.count else { continue }
            positions.append((try Self.degrees(in: reader, column: 2), try Self.degrees(in: reader, column: 3)))
        }
        log.keepCore(core)
        var texts = ItemTexts(of: log.items)
        for (place, position) in positions.enumerated() {
            texts.set("latitude:number", position.latitude, of: Int32(place))
            texts.set("longitude:number", position.longitude, of: Int32(place))
        }
        return try DatasetFolder.create(folder, source: checkIns, rows: rows, users: log.users, items: log.items) {
            try $0.write(log.interactions, as: "events")
            try $0.writeItems(texts)
        }
    }

    /// A number as it is written; an empty field stays empty.
    private static func degrees(in reader: borrowing CSVReader, column: Int) throws(CSVError) -> String {
        guard !reader.field(column).isEmpty else { return "" }
        _ = try reader.number(column)
        return reader.text(column)
    }
}
