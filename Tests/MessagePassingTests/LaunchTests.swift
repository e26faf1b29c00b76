import MessagePassing
import Testing
import Training

@Suite("Launch") struct LaunchTests {
    @Test("a process that mpirun did not start has no launch and needs no connection") func alone() throws {
        #expect(try Launch([:]) == nil)
        #expect(try Launch(["PATH": "/bin"]) == nil)
        #expect(try MessagePassing.connect() is SingleProcess)
    }

    @Test("the variables of Open MPI give the processes of the launch and of the machine") func variables() throws {
        let launch = try Launch([
            "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_RANK": "3",
        ])
        #expect(launch?.processes == 8 && launch?.processesHere == 4 && launch?.placeHere == 3)
    }

    @Test(
        "a value that mpirun never sets is named",
        arguments: [
            ("OMPI_COMM_WORLD_SIZE", "two"), ("OMPI_COMM_WORLD_SIZE", "0"), ("OMPI_COMM_WORLD_LOCAL_SIZE", "-1"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "2"),
        ]
    )
    func bad(name: String, value: String) throws {
        var environment = ["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"]
        environment[name] = value
        let error = try #require(throws: LaunchError.self) { try Launch(environment) }
        #expect(error == .badVariable(name: name, value: value) && error.description.contains(name))
    }

    @Test("a build without MPI says how to get one with it") func withoutMPI() {
        let text = LaunchError.withoutMPI(processes: 4).description
        #expect(text.contains("4 processes") && text.contains("--traits MPI"))
    }
}
