package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tileFiles reads tiles from the log's folder. Go writes the tile height into paths and calls bundles otherwise.
type tileFiles struct{}

func (tileFiles) Height() int { return 8 }

func (tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(folder, "log", path))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}

// checkpoint opens a signed checkpoint of the log.
func checkpoint(name string, key note.Verifier) tlog.Tree {
	parsed, _, _, err := log.ParseCheckpoint(read("log/"+name), key.Name(), key)
	must(err == nil, "%s: %v", name, err)
	return tlog.Tree{N: int64(parsed.Size), Hash: tlog.Hash(parsed.Hash)}
}

func checkLog() (count int) {
	key := verifier(string(read("log/vkey")))
	head, old := checkpoint("checkpoint", key), checkpoint("prev/67000", key)
	// Every hash that this reader returns is authenticated against the checkpoint.
	tiles := tlog.TileHashReader(head, tileFiles{})
	for _, tree := range []tlog.Tree{old, head} {
		hash, err := tlog.TreeHash(tree.N, tiles)
		must(err == nil && hash == tree.Hash, "root of %d from tiles: %v", tree.N, err)
		count++
	}
	var given tlog.TreeProof
	for bytes := read("log/consistency"); len(bytes) > 0; bytes = bytes[32:] {
		given = append(given, tlog.Hash(bytes[:32]))
	}
	made, err := tlog.ProveTree(head.N, old.N, tiles)
	must(err == nil && fmt.Sprint(made) == fmt.Sprint(given), "consistency proof: %v", err)
	err = tlog.CheckTree(given, head.N, head.Hash, old.N, old.Hash)
	must(err == nil, "consistency: %v", err)
	for _, tile := range tlog.NewTiles(8, 0, head.N) {
		_, err := tileFiles{}.ReadTiles([]tlog.Tile{tile})
		must(err == nil, "tile: %v", err)
		count++
	}
	files, err := filepath.Glob(filepath.Join(folder, "log/proofs/*"))
	must(err == nil && len(files) == 6, "proof files")
	for _, file := range files {
		name, _ := filepath.Rel(folder, file)
		checkFile(read(name), key.Name(), key, nil)
		count++
	}
	return count + checkBundles(head.N, tiles)
}

// checkBundles hashes every entry and compares with the authenticated leaves.
func checkBundles(size int64, tiles tlog.HashReader) (count int) {
	var leaves []tlog.Hash
	for _, tile := range tlog.NewTiles(8, 0, size) {
		if tile.L != 0 || tile.W != 256 && tile.N != size/256 {
			continue
		}
		path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		for bytes := read("log/" + path); len(bytes) > 0; {
			length := binary.BigEndian.Uint16(bytes)
			leaves = append(leaves, tlog.RecordHash(bytes[2:2+length]))
			bytes = bytes[2+length:]
		}
		count++
	}
	must(int64(len(leaves)) == size, "%d entries", len(leaves))
	indexes := make([]int64, size)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	hashes, err := tiles.ReadHashes(indexes)
	must(err == nil, "leaves: %v", err)
	for i, hash := range hashes {
		must(hash == leaves[i], "leaf %d", i)
	}
	return count
}
