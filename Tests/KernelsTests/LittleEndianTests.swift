import Kernels
import Testing

@Suite("little-endian bytes") struct LittleEndianTests {
    @Test("a matrix's bytes are its elements' bit patterns", arguments: [0, 1, 3, 64, 1000])
    func matrixBytes(count: Int) {
        var elements = CounterBasedGenerator(seed: 1, purpose: .simulation).normals(stream: 0, count: count)
        for (index, value) in [Float.nan, .infinity, -0, .leastNonzeroMagnitude].enumerated() where index < count {
            elements[index] = value
        }
        let matrix = Matrix(rows: 1, columns: count, elements: elements)
        let expected = elements.flatMap { value in (0..<4).map { UInt8(value.bitPattern >> (8 * $0) & 255) } }
        #expect(matrix.littleEndianBytes(ofElements: 0..<count) == expected)
        if count > 2 { #expect(matrix.littleEndianBytes(ofElements: 1..<3) == Array(expected[4..<12])) }
        var copy = Matrix(rows: 1, columns: count)
        let middle = count / 2
        copy.setElements(from: 0, littleEndian: Array(expected[..<(4 * middle)]).span)
        copy.setElements(from: middle, littleEndian: Array(expected[(4 * middle)...]).span)
        #expect(copy.elements.map(\.bitPattern) == elements.map(\.bitPattern))
    }

    @Test("values are read in the order in which they were written, at any alignment")
    func roundTrip() {
        for lead in 0..<5 {
            var writer = LittleEndianWriter(reserving: 10)
            writer.append(bytes: [UInt8](repeating: 7, count: lead))
            writer.append(UInt32(0xDEAD_BEEF))
            writer.append(UInt64.max)
            writer.append(Int64(-5))
            writer.append([Int32.min, -1, 0, .max])
            writer.append(Matrix([[1, 2], [3, 4]]))
            var reader = LittleEndianReader(writer.bytes)
            #expect(reader.bytes(lead).map(Array.init) == [UInt8](repeating: 7, count: lead))
            #expect(reader.integer(UInt32.self) == 0xDEAD_BEEF)
            #expect(reader.integer(UInt64.self) == .max)
            #expect(reader.integer(Int64.self) == -5)
            #expect(reader.int32s(4) == [.min, -1, 0, .max])
            #expect(reader.matrix(rows: 2, columns: 2) == Matrix([[1, 2], [3, 4]]))
            #expect(reader.remaining == 0)
            #expect(reader.integer(UInt8.self) == nil)
        }
    }

    @Test("negative counts and too large counts are refused", arguments: [-1, 5, 1 << 31, 1 << 61, Int.max, Int.min])
    func hostileCounts(count: Int) {
        var reader = LittleEndianReader([UInt8](repeating: 255, count: 17))
        #expect(reader.int32s(count) == nil)
        #expect(reader.matrix(rows: count, columns: 1) == nil)
        #expect(reader.matrix(rows: 1, columns: count) == nil)
        #expect(reader.matrix(rows: count, columns: count) == nil)
        #expect(reader.bytes(count == 5 ? 18 : count) == nil)
        #expect(reader.remaining == 17)
        #expect(reader.count() == nil)
    }
}
