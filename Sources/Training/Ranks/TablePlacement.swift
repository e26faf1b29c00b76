import Autodiff
import Kernels
public import Recommenders

/// Where the rows of a model's item tables are: all of them at every rank, or divided over the ranks.
///
/// Row `i` of a divided table is at rank `i mod ranks`, with its moments and its best weights. A step needs only the rows
/// of its own items: a rank fetches them from their owners, and computes with a model that has these rows alone, numbered
/// anew. The gradients go back to the owners, which update their rows.
public struct TablePlacement: Sendable {
    /// The processes that train together.
    let ranks: Ranks
    /// The tables whose rows are divided; empty if every rank has all rows.
    let divided: Set<String>
    /// The number of items.
    let items: Int

    /// All rows at every rank.
    public init(on ranks: Ranks = Ranks()) {
        (self.ranks, divided, items) = (ranks, [], 0)
    }

    /// Rows divided over ranks.
    ///
    /// - Parameters:
    ///   - ranks: The processes.
    ///   - model: A model of the system; its parameters are not read.
    ///   - recipe: The recipe of the training.
    ///   - items: The size of the catalogue.
    /// - Throws: ``TrainingError/indivisibleTable(_:)`` if a step of the training reads all rows.
    public init(dividedOver ranks: Ranks, of model: some TrainedRecommender, _ recipe: Recipe, items: Int)
        throws(TrainingError)
    {
        guard model.gathersItems else {
            throw .indivisibleTable("the loss of '\(recipe.system)' reads all of its rows")
        }
        guard recipe.training.negatives.resolved(items: items).kind != .catalogue else {
            throw .indivisibleTable(
                "every item is a negative; set training.negatives.kind to 'mixed', or lower training.negatives.count"
            )
        }
        (self.ranks, divided, self.items) = (ranks, model.itemTables, items)
    }

    /// Whether the rows are divided.
    var isDivided: Bool { !divided.isEmpty }

    /// The rows that this rank keeps.
    var share: RowShare { isDivided ? ranks.rows : .all }

    /// Drops the rows of other ranks from a whole model.
    func keepOwnRows<Model: TrainedRecommender>(of model: inout Model) {
        guard isDivided else { return }
        for name in divided {
            let table = model.parameters.take(name)
            model.parameters[name] = share.taken(from: table, at: 0)
        }
    }

    /// A model with the rows of some items alone; all ranks call it, each for its own items.
    ///
    /// - Parameters:
    ///   - model: The model with this rank's rows.
    ///   - items: Items, each once; the model that is returned numbers them by their places here.
    ///   - purpose: The purpose for which the bytes are counted.
    /// - Returns: The model with their rows.
    /// - Throws: ``CommunicationError``.
    func model<Model: TrainedRecommender>(
        _ model: Model,
        ofItems items: [Int32],
        for purpose: Ranks.Purpose
    ) throws -> Model {
        let count = Int32(ranks.count)
        var wanted = [[Int32]](repeating: [], count: ranks.count)
        for item in items { wanted[Int(item % count)].append(item / count) }
        let requests = try ranks.allToAll(wanted.map { Self.message(of: $0) }, for: purpose)
        let tables = model.parameters.matrices.filter { divided.contains($0.key) }
        let answers = try ranks.allToAll(
            requests.enumerated().map { rank, request in
                var reader = LittleEndianReader(request)
                guard let rows = reader.int32s(request.count / 4) else {
                    throw CommunicationError.unreadable(rank: rank)
                }
                return Self.message(of: tables) { $0.gatheringRows(rows) }
            },
            for: purpose
        )
        let fetched = try Self.tables(shaped: tables, answers, rows: wanted.map(\.count))
        // The answers lie one after another; each owner's are in the order of the items.
        var next = wanted.indices.map { owner in Int32(wanted[..<owner].reduce(0) { $0 + $1.count }) }
        let order = items.map { item in
            defer { next[Int(item % count)] += 1 }
            return next[Int(item % count)]
        }
        return model.holding(fetched.mapValues { $0.gatheringRows(order) })
    }

    /// A model with the rows of consecutive items alone, from all owners; all ranks call it for the same items.
    ///
    /// - Parameters:
    ///   - model: The model with this rank's rows.
    ///   - range: The items.
    ///   - purpose: The purpose for which the bytes are counted.
    /// - Returns: The model with their rows.
    /// - Throws: ``CommunicationError``.
    func model<Model: TrainedRecommender>(
        _ model: Model,
        ofItems range: Range<Int>,
        for purpose: Ranks.Purpose
    ) throws -> Model {
        let tables = model.parameters.matrices.filter { divided.contains($0.key) }
        let own = Self.message(of: tables) { $0.rows(share.places(of: range)) }
        return model.holding(try interleaved(tables, try ranks.allGather(own, for: purpose), range))
    }

    /// The whole model at rank 0, for publication; other ranks send it their rows, and get the model that they have.
    func whole<Model: TrainedRecommender>(_ model: Model) throws -> Model {
        guard isDivided else { return model }
        var tables: [String: Matrix] = [:]
        for name in divided.sorted() {
            let own = model.parameters[name]
            var elements: [Float] = []
            if ranks.isFirst { elements.reserveCapacity(items * own.columns) }
            for range in ItemSpace.blocks(of: items) { elements += try rows(range, of: own)?.elements ?? [] }
            if ranks.isFirst { tables[name] = Matrix(rows: items, columns: own.columns, elements: elements) }
        }
        return model.holding(tables)
    }

    /// Consecutive rows of a divided matrix at rank 0, nil at others; all ranks call it.
    func rows(_ range: Range<Int>, of own: Matrix) throws -> Matrix? {
        var messages = [[UInt8]](repeating: [], count: ranks.count)
        messages[0] = Self.message(of: ["": own]) { $0.rows(share.places(of: range)) }
        let parts = try ranks.allToAll(messages, for: .state)
        return ranks.isFirst ? try interleaved(["": own], parts, range)[""] : nil
    }

    // MARK: Messages

    /// Rows of all ranks in the order of their items.
    private func interleaved(_ tables: [String: Matrix], _ parts: [[UInt8]], _ range: Range<Int>) throws
        -> [String: Matrix]
    {
        let count = ranks.count
        let places = (0..<count).map { RowShare(first: $0, of: count).places(of: range) }
        let starts = places.indices.map { owner in places[..<owner].reduce(0) { $0 + $1.count } }
        let order = range.map { Int32(starts[$0 % count] + $0 / count - places[$0 % count].lowerBound) }
        return try Self.tables(shaped: tables, parts, rows: places.map(\.count)).mapValues { $0.gatheringRows(order) }
    }

    private static func message(of numbers: [Int32]) -> [UInt8] {
        var writer = LittleEndianWriter()
        writer.append(numbers)
        return writer.bytes
    }

    /// The chosen rows of each table, in the order of names.
    private static func message(of tables: [String: Matrix], _ choose: (Matrix) -> Matrix) -> [UInt8] {
        var writer = LittleEndianWriter()
        for name in tables.keys.sorted() { tables[name].map { writer.append(choose($0)) } }
        return writer.bytes
    }

    /// The tables that messages hold: the rows of all ranks, one rank after another.
    private static func tables(shaped: [String: Matrix], _ messages: [[UInt8]], rows: [Int]) throws
        -> [String: Matrix]
    {
        var readers = messages.map { LittleEndianReader($0) }
        var tables: [String: Matrix] = [:]
        for (name, table) in shaped.sorted(by: { $0.key < $1.key }) {
            var elements: [Float] = []
            elements.reserveCapacity(rows.reduce(0, +) * table.columns)
            for rank in readers.indices {
                guard let part = readers[rank].floats(rows[rank] * table.columns) else {
                    throw CommunicationError.unreadable(rank: rank)
                }
                elements += part
            }
            tables[name] = Matrix(rows: rows.reduce(0, +), columns: table.columns, elements: elements)
        }
        return tables
    }
}
