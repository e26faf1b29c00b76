import Fleet
import Foundation
import Kernels
import Testing

/// The published examples of the signature and of its parts.
@Suite("request signature") struct RequestSignatureTests {
    @Test("the message authentication codes of RFC 4231")
    func authenticationCodes() {
        func code(_ key: [UInt8], _ message: [UInt8]) -> String {
            SHA256.authenticationCode(of: message, key: key).hexadecimal
        }
        #expect(
            code(Array(repeating: 0x0b, count: 20), Array("Hi There".utf8))
                == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        )
        #expect(
            code(Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
        #expect(
            code(
                Array(repeating: 0xaa, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
            )
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        )
    }

    /// The examples of "Authenticating Requests: Using the Authorization Header" in the reference of S3.
    @Test(
        "the examples of Amazon S3",
        arguments: [
            (
                "GET", "/test.txt", [("range", "bytes=0-9")], "",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
            (
                "PUT", "/test$file.text",
                [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                "Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
            ),
            ("GET", "/?lifecycle", [], "", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            (
                "GET", "/?max-keys=2&prefix=J", [], "",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
            ),
        ]
    )
    func objectStore(method: String, path: String, fields: [(String, String)], body: String, signature: String) throws {
        let signer = RequestSignature(
            accessKey: "AKIAIOSFODNN7EXAMPLE",
            secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1"
        )
        let url = try #require(URLComponents(string: "https://examplebucket.s3.amazonaws.com" + path))
        let date = try Date("2013-05-24T00:00:00Z", strategy: .iso8601)
        let digest = SHA256.digest(of: Array(body.utf8))
        let given =
            fields + [
                ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", digest),
                ("x-amz-date", "20130524T000000Z"),
            ]
        let value = signer.authorization(method, url, given, payload: digest, at: date)
        #expect(value.hasSuffix("Signature=" + signature), "\(value)")
        #expect(value.contains("Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders="))
        if fields.isEmpty {
            let own = signer.fields(method, url, payload: digest, at: date)
            #expect(own.map(\.0) == ["x-amz-content-sha256", "x-amz-date", "authorization"])
            #expect(own.last?.1 == value)
        }
    }

    /// The cases get-vanilla and get-vanilla-query-order-key-case of the test suite of AWS.
    @Test(
        "the test suite of the signature",
        arguments: [
            ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ]
    )
    func suite(path: String, signature: String) throws {
        let signer = RequestSignature(
            accessKey: "AKIDEXAMPLE",
            secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            service: "service"
        )
        let url = try #require(URLComponents(string: "https://example.amazonaws.com" + path))
        let date = try Date("2015-08-30T12:36:00Z", strategy: .iso8601)
        let fields = [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")]
        let value = signer.authorization("GET", url, fields, payload: SHA256.digest(of: []), at: date)
        #expect(value.hasSuffix("SignedHeaders=host;x-amz-date, Signature=" + signature), "\(value)")
    }

    @Test("credentials come from the environment, a token of temporary ones is signed, and a port is part of the host")
    func environment() throws {
        #expect(RequestSignature(environment: ["AWS_ACCESS_KEY_ID": "a"]) == nil)
        #expect(RequestSignature(environment: ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": ""]) == nil)
        let signer = try #require(
            RequestSignature(environment: [
                "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "t",
                "AWS_REGION": "eu-west-1",
            ])
        )
        let url = try #require(URLComponents(string: "http://store:9000/shop/index.json"))
        let fields = signer.fields("GET", url, payload: SHA256.digest(of: []), at: .now)
        #expect(fields.contains { $0 == ("x-amz-security-token", "t") })
        let value = try #require(fields.last?.1)
        #expect(
            value.contains("/eu-west-1/s3/")
                && value.contains("host;x-amz-content-sha256;x-amz-date;x-amz-security-token")
        )
        let without = try #require(URLComponents(string: "http://store/shop/index.json"))
        #expect(signer.fields("GET", without, payload: SHA256.digest(of: []), at: .now).last?.1 != value)
    }
}
