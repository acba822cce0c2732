// Checks the ledger crate's vectors and a whole log of its making with Go programs that this project did not write:
// golang.org/x/mod/sumdb/{note,tlog} and github.com/transparency-dev/formats. Prints one line per check and exits 1 at
// the first difference.
//
//	cargo run -p attestary-ledger --example ledger_vectors -- FOLDER --log
//	cd tests/oracles/go-ledger && go run . FOLDER
//
// With a server's URL and a tenant it reads that tenant's log over HTTP instead (the key stands in ATTESTARY_KEY):
//
//	go run . http://127.0.0.1:8080 acme
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// folder is where the vectors lie; the log is in its subfolder "log".
var folder string

func main() {
	if len(os.Args) == 3 {
		checkServer(os.Args[1], os.Args[2])
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go-ledger FOLDER | URL TENANT")
		os.Exit(2)
	}
	folder = os.Args[1]
	for _, check := range []struct {
		name string
		run  func() int
	}{
		{"tree.json: roots, inclusion and consistency proofs", checkTree},
		{"entry.json: field hashes, entry, leaf hash", checkEntry},
		{"keys.json: derived keys", checkKeys},
		{"notes.json: signed notes and cosignatures", checkNotes},
		{"policy.json: quorums", checkPolicies},
		{"proofs.json: proof files", checkProofs},
		{"epoch.json: epoch tree, record, slot proof", checkEpoch},
		{"log: tiles, bundles, checkpoints, proofs", checkLog},
	} {
		fmt.Printf("%-55s %d ok\n", check.name, check.run())
	}
}

// must ends the program when a check failed.
func must(ok bool, format string, arguments ...any) {
	if !ok {
		fmt.Fprintf(os.Stderr, "FAILED: "+format+"\n", arguments...)
		os.Exit(1)
	}
}

// read returns a file's bytes.
func read(name string) []byte {
	bytes, err := os.ReadFile(filepath.Join(folder, name))
	must(err == nil, "%v", err)
	return bytes
}

// load decodes a JSON file of vectors.
func load(name string, value any) {
	err := json.Unmarshal(read(name), value)
	must(err == nil, "%s: %v", name, err)
}

// unhex returns the bytes of a vector.
func unhex(text string) []byte {
	bytes, err := hex.DecodeString(text)
	must(err == nil, "%v", err)
	return bytes
}

// hash returns the 32 bytes of a vector.
func hash(text string) tlog.Hash {
	return tlog.Hash(unhex(text))
}

func hashes(texts []string) []tlog.Hash {
	list := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		list[i] = hash(text)
	}
	return list
}
