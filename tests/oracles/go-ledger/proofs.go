package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checkFile verifies a proof file for a record under a log's key and returns the checkpoint.
func checkFile(file []byte, origin string, key note.Verifier, record []byte) *log.Checkpoint {
	var parsed proof.TLogProof
	err := parsed.Unmarshal(file)
	must(err == nil, "proof file: %v", err)
	must(bytes.Equal(parsed.Marshal(), file), "the proof file is written in another way")
	must(bytes.Equal(parsed.ExtraData, record) || record == nil, "extra data")
	checkpoint, rest, _, err := log.ParseCheckpoint(parsed.Checkpoint, origin, key)
	must(err == nil && len(rest) == 0, "checkpoint: %v", err)
	list := make([]tlog.Hash, len(parsed.Hashes))
	for i, hash := range parsed.Hashes {
		list[i] = tlog.Hash(hash)
	}
	leaf := tlog.RecordHash(parsed.ExtraData)
	err = tlog.CheckRecord(list, int64(checkpoint.Size), tlog.Hash(checkpoint.Hash), int64(parsed.Index), leaf)
	must(err == nil, "inclusion of %d: %v", parsed.Index, err)
	return checkpoint
}

func checkProofs() int {
	var vectors struct {
		Vkey  string
		Files []struct {
			LeafHash string `json:"leaf_hash"`
			File     string
		}
		AddCheckpoint struct {
			OldRoot string `json:"old_root"`
			Body    string
		} `json:"add_checkpoint"`
	}
	load("proofs.json", &vectors)
	key := verifier(vectors.Vkey)
	for _, vector := range vectors.Files {
		checkFile([]byte(vector.File), key.Name(), key, nil)
	}
	head, checkpoint, _ := strings.Cut(vectors.AddCheckpoint.Body, "\n\n")
	lines := strings.Split(head, "\n")
	must(lines[0] == "old 200", "old size")
	var list tlog.TreeProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		must(err == nil, "%v", err)
		list = append(list, hash)
	}
	parsed, _, _, err := log.ParseCheckpoint([]byte(checkpoint), key.Name(), key)
	must(err == nil, "%v", err)
	err = tlog.CheckTree(list, int64(parsed.Size), tlog.Hash(parsed.Hash), 200, hash(vectors.AddCheckpoint.OldRoot))
	must(err == nil, "add-checkpoint: %v", err)
	return len(vectors.Files) + 1
}

func checkEpoch() int {
	var vectors struct {
		Head struct {
			Slot     uint64
			Text     string
			LeafHash string `json:"leaf_hash"`
		}
		OtherHeads []*string `json:"other_heads"`
		Vacant     struct {
			Slot     uint64
			LeafHash string `json:"leaf_hash"`
		}
		Record struct {
			Text, Root string
			LeafHash   string `json:"leaf_hash"`
		}
		AnchorVkey string `json:"anchor_vkey"`
		TrustFile  string `json:"trust_file"`
		SlotProof  string `json:"slot_proof"`
	}
	load("epoch.json", &vectors)
	var slots [][]byte
	for slot, head := range vectors.OtherHeads {
		switch {
		case uint64(slot) == vectors.Head.Slot:
			slots = append(slots, headEntry(slot, vectors.Head.Text))
		case head == nil:
			slots = append(slots, binary.BigEndian.AppendUint64([]byte("AEH0"), uint64(slot)))
		default:
			slots = append(slots, headEntry(slot, *head))
		}
	}
	tree := build(slots)
	size := int64(len(slots))
	must(tlog.RecordHash(slots[vectors.Head.Slot]) == hash(vectors.Head.LeafHash), "head leaf")
	must(tlog.RecordHash(slots[vectors.Vacant.Slot]) == hash(vectors.Vacant.LeafHash), "vacant leaf")
	must(root(tree, size) == hash(vectors.Record.Root), "epoch root")
	must(tlog.RecordHash([]byte(vectors.Record.Text)) == hash(vectors.Record.LeafHash), "record leaf")
	text := fmt.Sprintf("attestary/epoch/v1\n3\n1795308940000\n%d\n%s\n", size, base64.StdEncoding.EncodeToString(unhex(vectors.Record.Root)))
	must(text == vectors.Record.Text, "record text")

	head, rest, _ := strings.Cut(vectors.SlotProof, "\n\n")
	lines := strings.Split(head, "\n")
	must(strings.Join(lines[:4], "|") == "attestary/slot-proof@v1|epoch 3|slot 4|slots 6", "slot proof lines")
	var list tlog.RecordProof
	for _, line := range lines[4:] {
		hash, err := tlog.ParseHash(line)
		must(err == nil, "%v", err)
		list = append(list, hash)
	}
	err := tlog.CheckRecord(list, size, root(tree, size), int64(vectors.Head.Slot), hash(vectors.Head.LeafHash))
	must(err == nil, "slot proof: %v", err)
	key := verifier(vectors.AnchorVkey)
	checkFile([]byte(rest), key.Name(), key, []byte(vectors.Record.Text))
	// The trust file is a policy for everybody.
	policy, err := witness.ParsePolicy([]byte(vectors.TrustFile))
	must(err == nil, "trust file: %v", err)
	_, checkpoint, _ := strings.Cut(rest, "\n\n")
	must(policy.Satisfied([]byte(checkpoint)), "the quorum of the trust file")
	return 8
}

func headEntry(slot int, text string) []byte {
	digest := sha256.Sum256([]byte(text))
	return append(binary.BigEndian.AppendUint64([]byte("AEH1"), uint64(slot)), digest[:]...)
}
