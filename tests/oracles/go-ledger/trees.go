package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/mod/sumdb/tlog"
)

// memory is a tree in Go's storage order.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		list[i] = m[index]
	}
	return list, nil
}

// build returns the tree over the records.
func build(records [][]byte) memory {
	var tree memory
	for i, record := range records {
		added, err := tlog.StoredHashes(int64(i), record, tree)
		must(err == nil, "%v", err)
		tree = append(tree, added...)
	}
	return tree
}

func root(tree memory, size int64) tlog.Hash {
	if size == 0 {
		return sha256.Sum256(nil)
	}
	hash, err := tlog.TreeHash(size, tree)
	must(err == nil, "%v", err)
	return hash
}

func checkTree() (count int) {
	var vectors struct {
		Roots []struct {
			Size int64
			Root string
		}
		Inclusion []struct {
			Index, Size int64
			Hashes      []string
		}
		Consistency []struct {
			Old, New int64
			Hashes   []string
		}
	}
	load("tree.json", &vectors)
	var records [][]byte
	for i := range uint64(130) {
		records = append(records, binary.BigEndian.AppendUint64(nil, i))
	}
	tree := build(records)
	for _, vector := range vectors.Roots {
		must(root(tree, vector.Size) == hash(vector.Root), "root of %d", vector.Size)
		count++
	}
	for _, vector := range vectors.Inclusion {
		leaf := tlog.RecordHash(records[vector.Index])
		err := tlog.CheckRecord(hashes(vector.Hashes), vector.Size, root(tree, vector.Size), vector.Index, leaf)
		must(err == nil, "inclusion of %d in %d: %v", vector.Index, vector.Size, err)
		count++
	}
	for _, vector := range vectors.Consistency {
		if vector.Old == 0 { // Go knows no proof from the empty tree.
			must(len(vector.Hashes) == 0, "consistency from 0")
			continue
		}
		err := tlog.CheckTree(hashes(vector.Hashes), vector.New, root(tree, vector.New), vector.Old, root(tree, vector.Old))
		must(err == nil, "consistency of %d with %d: %v", vector.Old, vector.New, err)
		count++
	}
	return count
}

func checkEntry() int {
	var vectors struct {
		Origin, Seed, Entry string
		Fields              []struct{ Pointer, Type, Value, Salt, Hash string }
		FieldsHash          string `json:"fields_hash"`
		Hidden              string `json:"fields_hash_with_email_hidden"`
		LeafHash            string `json:"leaf_hash"`
	}
	load("entry.json", &vectors)
	list := append([]byte("AER1"), 0, byte(len(vectors.Fields)))
	for j, field := range vectors.Fields {
		pair := sha256.Sum256(binary.BigEndian.AppendUint32(append([]byte("AES1"), unhex(vectors.Seed)...), uint32(j/2)))
		salt := pair[j%2*16:][:16]
		must(bytes.Equal(salt, unhex(field.Salt)), "salt %d", j)
		disclosure := append([]byte("AEF1"), salt...)
		disclosure = binary.BigEndian.AppendUint16(disclosure, uint16(len(field.Pointer)))
		disclosure = append(append(disclosure, field.Pointer...), field.Type...)
		disclosure = binary.BigEndian.AppendUint32(disclosure, uint32(len(field.Value)))
		h := sha256.Sum256(append(disclosure, field.Value...))
		must(h == hash(field.Hash), "field %d", j)
		list = append(list, h[:]...)
	}
	fieldsHash := sha256.Sum256(list)
	must(fieldsHash == hash(vectors.FieldsHash) && fieldsHash == hash(vectors.Hidden), "fields_hash")
	origin := sha256.Sum256([]byte(vectors.Origin))
	entry := append([]byte("AEV1"), origin[:16]...)
	entry = binary.BigEndian.AppendUint64(entry, 69000)
	entry = binary.BigEndian.AppendUint64(entry, 1795308919123)
	entry = append(entry, unhex("01930b5e5a53709e8f3c0123456789ab")...)
	entry = binary.BigEndian.AppendUint32(entry, uint32(len(vectors.Fields))<<16)
	entry = append(entry, fieldsHash[:]...)
	must(bytes.Equal(entry, unhex(vectors.Entry)), "entry")
	must(tlog.RecordHash(entry) == hash(vectors.LeafHash), "leaf hash")
	return len(vectors.Fields) + 3
}
