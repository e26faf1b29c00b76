import PostgreSQL
import Testing

@Suite("addresses, values and failures of PostgreSQL servers") struct AddressTests {
    @Test("an address is a URL of libpq, and its name holds no password")
    func readsAddresses() throws {
        let address = try #require(ServerAddress("postgres://shop:s3cret@db-1:5433/items?sslmode=require"))
        #expect(address.name == "db-1:5433/items")
        #expect(ServerAddress("postgresql://db/items")?.name == "db:5432/items")
        let others = ["", "db", "http://db/items", "db:5432", "postgres//db", "postgres://a:1/b@db/c"]
        for text in others { #expect(ServerAddress(text) == nil) }
    }

    @Test("binary values are big-endian")
    func writesBinary() {
        var writer = BinaryWriter()
        writer.append(Int16(5))
        writer.append(Int32(-2))
        writer.append(field: [UInt8]?.none)
        writer.append(field: [1, 2])
        #expect(writer.bytes == [0, 5, 255, 255, 255, 254, 255, 255, 255, 255, 0, 0, 0, 2, 1, 2])
        writer.removeAll()
        writer.append(vector: [1, -2.5])
        #expect(writer.bytes == [0, 2, 0, 0, 0x3F, 0x80, 0, 0, 0xC0, 0x20, 0, 0])
        writer.removeAll()
        writer.beginCopy()
        writer.endCopy()
        #expect(writer.bytes == Array("PGCOPY\n".utf8) + [255, 13, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255])
    }

    @Test("a server that refuses connections fails at once, and is left alone for a second")
    func leavesAlone() throws {
        // Port 1 needs no name server, and nothing listens there.
        let pool = ConnectionPool(try #require(ServerAddress("postgres://127.0.0.1:1/none")))
        do { try ConnectionPool.requireLibrary() } catch { return #expect("\(error)".contains("libpq5")) }
        for attempt in 0..<3 {
            do {
                _ = try pool.ask([.run("SELECT 1")])
                Issue.record("nothing listens on port 1")
            } catch {
                guard case .unreachable(let server, let reason) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(server == "127.0.0.1:1/none")
                #expect(reason.contains("less than a second ago") == (attempt > 0))
            }
        }
    }
}
