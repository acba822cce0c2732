package main

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	formats "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
)

// verifier returns the verifier of a note key or a cosignature key.
func verifier(vkey string) note.Verifier {
	if v, err := note.NewVerifier(vkey); err == nil {
		return v
	}
	v, err := formats.NewVerifierForCosignatureV1(vkey)
	must(err == nil, "vkey %s: %v", vkey, err)
	return v
}

func checkKeys() int {
	var vectors struct {
		Master  string
		Derived []struct {
			Origin   string
			KeyEpoch uint32 `json:"key_epoch"`
			Vkey     string
		}
		Cosigner struct{ Seed, Vkey string }
	}
	load("keys.json", &vectors)
	for _, vector := range vectors.Derived {
		info := binary.BigEndian.AppendUint16([]byte("attestary tenant key v1"), uint16(len(vector.Origin)))
		info = binary.BigEndian.AppendUint32(append(info, vector.Origin...), vector.KeyEpoch)
		seed, err := hkdf.Key(sha256.New, unhex(vectors.Master), nil, string(info), ed25519.SeedSize)
		must(err == nil, "%v", err)
		must(vkey(vector.Origin, seed) == vector.Vkey, "key %s %d", vector.Origin, vector.KeyEpoch)
	}
	cosigner, err := formats.VKeyToCosignatureV1(vkey("w1.example", unhex(vectors.Cosigner.Seed)))
	must(err == nil && cosigner == vectors.Cosigner.Vkey, "cosigner key: %v", err)
	return len(vectors.Derived) + 1
}

func vkey(name string, seed []byte) string {
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	text, err := note.NewEd25519VerifierKey(name, public)
	must(err == nil, "%v", err)
	return text
}

func checkNotes() int {
	var vectors struct {
		Vkeys []string
		Text  string
		Cases []struct {
			Name, Note string
			Verified   *int
			Error      *string
		}
	}
	load("notes.json", &vectors)
	var known []note.Verifier
	for _, vkey := range vectors.Vkeys {
		known = append(known, verifier(vkey))
	}
	for _, vector := range vectors.Cases {
		opened, err := note.Open([]byte(vector.Note), note.VerifierList(known...))
		if vector.Verified == nil {
			must(err != nil, "%s: accepted", vector.Name)
			var unverified *note.UnverifiedNoteError
			var invalid *note.InvalidSignatureError
			parsed := errors.As(err, &unverified) || errors.As(err, &invalid)
			must(parsed == (*vector.Error == "verify"), "%s: %v", vector.Name, err)
			continue
		}
		must(err == nil, "%s: %v", vector.Name, err)
		must(len(opened.Sigs) == *vector.Verified, "%s: %d signatures", vector.Name, len(opened.Sigs))
		must(opened.Text == vectors.Text, "%s: another text", vector.Name)
		time, err := formats.CoSigV1Timestamp(opened.Sigs[1])
		must(err == nil && time.Unix() == 1795309001, "%s: cosigned at %v", vector.Name, time)
	}
	return len(vectors.Cases)
}

func checkPolicies() int {
	var vectors struct {
		Cases []struct {
			Policy, Note string
			Accepted     bool
		}
	}
	load("policy.json", &vectors)
	for _, vector := range vectors.Cases {
		policy, err := witness.ParsePolicy([]byte(vector.Policy))
		must(err == nil, "%v", err)
		must(policy.Satisfied([]byte(vector.Note)) == vector.Accepted, "policy\n%s", vector.Policy)
	}
	return len(vectors.Cases)
}
