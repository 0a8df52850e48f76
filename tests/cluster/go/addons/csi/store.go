package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// object is what is known of a volume or a snapshot beside its files.
type object struct {
	Source  string // id of the volume that a snapshot is of
	Bytes   int64  // size that was asked for
	Created time.Time
}

// store keeps each object as a directory, and what is known of it as JSON beside that. The JSON is written last:
// an object without it does not exist.
type store struct{ directory string }

func (s store) files(id string) string { return filepath.Join(s.directory, id) }

func (s store) note(id string) string { return s.files(id) + ".json" }

func (s store) get(id string) (object, bool) {
	var found object
	text, err := os.ReadFile(s.note(id))
	return found, err == nil && json.Unmarshal(text, &found) == nil
}

func (s store) ids() ([]string, error) {
	notes, err := filepath.Glob(s.note("*"))
	for i, each := range notes {
		notes[i] = strings.TrimSuffix(filepath.Base(each), ".json")
	}
	return notes, err
}

// create makes the object: a copy of the files in `from`, or empty where there are none to copy.
func (s store) create(id, from string, what object) error {
	// what an interrupted call has left
	if err := os.RemoveAll(s.files(id)); err != nil {
		return err
	}
	if from == "" {
		if err := os.Mkdir(s.files(id), fs.ModePerm); err != nil {
			return err
		}
		// the umask must not decide who may write
		if err := os.Chmod(s.files(id), fs.ModePerm); err != nil {
			return err
		}
	} else if said, err := exec.Command("cp", "-a", "--reflink=auto", from, s.files(id)).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	return os.WriteFile(s.note(id), text, 0o600)
}

func (s store) remove(id string) error {
	if err := os.Remove(s.note(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(s.files(id))
}
