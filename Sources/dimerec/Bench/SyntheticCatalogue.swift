import CheckpointStore
import Kernels

/// Synthetic item vectors in the manner of a shop's catalogue, to measure an index without files.
///
/// Categories of uneven size hold brands, and brands hold items; one item in fifty is an exact copy of another. A
/// query is the normalised mean of three items, two of one brand, with a little noise. It thus lies between groups
/// more often than an item does.
enum SyntheticCatalogue {
    private static let dimension = 64

    /// Unit vectors; equal arguments give equal vectors.
    static func vectors(items: Int, queries: Int) -> (items: Matrix, queries: Matrix) {
        let generator = CounterBasedGenerator(seed: 42, purpose: .simulation)
        let brands = max(1, items / 100)
        let categories = max(1, Int(Double(brands).squareRoot()))
        let categoryOf = skewedDraws(generator, stream: 0, count: brands, below: categories)
        let brandOf = skewedDraws(generator, stream: 1, count: items, below: brands)
        let centres = noise(generator, from: 1 << 33, rows: categories)
        var brandVectors = centres.gatheringRows(categoryOf)
        brandVectors.add(noise(generator, from: 1 << 34, rows: brands), scale: 0.6)
        var vectors = brandVectors.gatheringRows(brandOf)
        vectors.add(noise(generator, from: 1 << 35, rows: items), scale: 0.5)
        let repeats = stride(from: 49, to: items, by: 50)
        for item in repeats { vectors.setRow(item, to: vectors.row(item / 2)) }
        vectors = vectors.normalisedRows().unit

        let first = skewedDraws(generator, stream: 2, count: queries, below: items)
        var asked = vectors.gatheringRows(first)
        asked.add(vectors.gatheringRows(first.map { Int32((Int($0) + 1) % items) }))
        asked.add(brandVectors.gatheringRows(first.map { brandOf[Int($0)] }), scale: 0.5)
        asked.add(noise(generator, from: 1 << 36, rows: queries), scale: 0.3)
        return (vectors, asked.normalisedRows().unit)
    }

    /// Attributes of every type; every tenth item has none.
    static func attributes(items: Int) -> [AttributeColumn] {
        func numbers(_ name: String, _ type: AttributeType, _ value: (Int) -> Double) -> AttributeColumn {
            let values = (0..<items).map { $0 % 10 == 9 ? .nan : value($0) }
            return AttributeColumn(name: name, type: type, values: .numbers(values))
        }
        func texts(_ name: String, _ type: AttributeType, _ names: Int, _ list: (Int) -> [Int]) -> AttributeColumn {
            let lists = (0..<items).map { $0 % 10 == 9 ? [] : list($0).map(Int32.init) }
            return AttributeColumn(
                name: name,
                type: type,
                values: .texts(names: (0..<names).map { "\(name)-\($0)" }, lists: lists)
            )
        }
        let start = 1_704_067_200.0
        return [
            numbers("price", .number) { Double($0 * 7 % 1000) / 8 },
            numbers("stock", .boolean) { $0 % 4 == 0 ? 0 : 1 },
            numbers("amount", .integer) { Double($0 * 13 % 100) },
            numbers("released", .time) { start + Double($0 % 365) * 86_400 },
            texts("brand", .keyword, 20) { [$0 % 20] },
            texts("tags", .keywords, 10) { [$0 % 10, $0 / 10 % 10] },
        ]
    }

    /// Random rows with an expected length of one.
    private static func noise(_ generator: CounterBasedGenerator, from stream: UInt64, rows: Int) -> Matrix {
        var rows = generator.normalRows(streams: (0..<UInt64(rows)).map { stream + $0 }, columns: dimension)
        rows.scale(by: 1 / Float(dimension).squareRoot())
        return rows
    }

    /// Random numbers below a bound; small ones are more frequent.
    private static func skewedDraws(
        _ generator: CounterBasedGenerator,
        stream: UInt64,
        count: Int,
        below bound: Int
    ) -> [Int32] {
        generator.uniforms(stream: stream, count: count).map { Int32(min(Double(bound) - 1, $0 * $0 * Double(bound))) }
    }
}
