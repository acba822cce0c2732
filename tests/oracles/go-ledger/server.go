package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// server reads a tenant's log from a running server; the key stands in the variable ATTESTARY_KEY.
type server struct {
	base, tenant, key string
	reads             int
}

func (s *server) get(path string) ([]byte, error) {
	request, err := http.NewRequest("GET", s.base+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	s.reads++
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %s", path, reply.StatusCode, body)
	}
	return body, err
}

// of returns what the server answers about the tenant.
func (s *server) of(path string) []byte {
	body, err := s.get("/v1/tenants/" + url.PathEscape(s.tenant) + "/" + path)
	must(err == nil, "%v", err)
	return body
}

func (s *server) Height() int { return 8 }

func (s *server) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		data = append(data, s.of(strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
	}
	return data, nil
}

func (s *server) SaveTiles([]tlog.Tile, [][]byte) {}

// head opens the log's present checkpoint.
func (s *server) head(key note.Verifier) tlog.Tree {
	parsed, rest, _, err := log.ParseCheckpoint(s.of("checkpoint"), key.Name(), key)
	must(err == nil && len(rest) == 0, "checkpoint: %v", err)
	return tlog.Tree{N: int64(parsed.Size), Hash: tlog.Hash(parsed.Hash)}
}

// entry returns the log entry at an index, from its bundle.
func (s *server) entry(size, index int64) []byte {
	tile := tlog.Tile{H: 8, L: 0, N: index / 256, W: int(min(256, size-index/256*256))}
	bundle := s.of(strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1))
	for at := index / 256 * 256; ; at++ {
		length := binary.BigEndian.Uint16(bundle)
		if at == index {
			return bundle[2 : 2+length]
		}
		bundle = bundle[2+length:]
	}
}

// checkServer verifies a log over HTTP: root, inclusion of some entries and consistency with some earlier sizes, all from
// authenticated tiles, and the server's own proofs.
func checkServer(base, tenant string) {
	s := &server{base: base, tenant: tenant, key: os.Getenv("ATTESTARY_KEY")}
	var vkey string
	for _, line := range strings.Split(string(s.of("trust")), "\n") {
		if rest, found := strings.CutPrefix(line, "log "); found {
			vkey = rest
		}
	}
	key := verifier(vkey)
	head := s.head(key)
	tiles := tlog.TileHashReader(head, s)
	root, err := tlog.TreeHash(head.N, tiles)
	must(err == nil && root == head.Hash, "root of %d from tiles: %v", head.N, err)
	fmt.Printf("root of %d events from tiles: ok\n", head.N)

	count := 0
	for index := int64(0); index < head.N; index += max(1, head.N/97) {
		entry := s.entry(head.N, index)
		made, err := tlog.ProveRecord(head.N, index, tiles)
		must(err == nil, "proof of %d: %v", index, err)
		err = tlog.CheckRecord(made, head.N, head.Hash, index, tlog.RecordHash(entry))
		must(err == nil, "inclusion of %d: %v", index, err)
		forged := bytes.Clone(entry)
		forged[60] ^= 1
		err = tlog.CheckRecord(made, head.N, head.Hash, index, tlog.RecordHash(forged))
		must(err != nil, "a forged entry %d is accepted", index)
		file, err := s.get(fmt.Sprintf("/v1/events/%s/proof?tenant=%s", uuid(entry[36:52]), url.QueryEscape(tenant)))
		must(err == nil, "%v", err)
		checkFile(file, key.Name(), key, entry)
		count++
	}
	fmt.Printf("inclusion of %d events, their proof files: ok\n", count)

	count = 0
	for old := int64(1); old <= head.N; old = old*3 + 1 {
		oldRoot, err := tlog.TreeHash(old, tiles)
		must(err == nil, "root of %d: %v", old, err)
		var given struct {
			From, To int64
			FromRoot string `json:"from_root"`
			Hashes   []string
		}
		must(json.Unmarshal(s.of(fmt.Sprintf("consistency?from=%d&to=%d", old, head.N)), &given) == nil, "JSON")
		var list tlog.TreeProof
		for _, text := range given.Hashes {
			hash, err := tlog.ParseHash(text)
			must(err == nil, "%v", err)
			list = append(list, hash)
		}
		made, err := tlog.ProveTree(head.N, old, tiles)
		must(err == nil && fmt.Sprint(made) == fmt.Sprint(list), "proof from %d: %v", old, err)
		must(given.FromRoot == base64.StdEncoding.EncodeToString(oldRoot[:]), "root of %d", old)
		err = tlog.CheckTree(list, head.N, head.Hash, old, oldRoot)
		must(err == nil, "consistency with %d: %v", old, err)
		err = tlog.CheckTree(list, head.N, head.Hash, old, tlog.Hash{1})
		must(err != nil, "a forked root of %d is accepted", old)
		count++
	}
	later := s.head(key)
	if later.N > head.N {
		made, err := tlog.ProveTree(later.N, head.N, tlog.TileHashReader(later, s))
		must(err == nil && tlog.CheckTree(made, later.N, later.Hash, head.N, head.Hash) == nil, "growth since: %v", err)
	}
	fmt.Printf("consistency with %d earlier sizes: ok\n%d reads\n", count, s.reads)
}

func uuid(id []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
