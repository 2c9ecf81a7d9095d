package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/cmd/holdfast/doctor"
	"holdfast/storage/pgtest"
)

// examined runs the doctor as a process and returns its exit code and findings by name.
func examined(t *testing.T, args ...string) (code int, found map[string]doctor.Check) {
	t.Helper()
	all := append([]string{
		"doctor", "-o", "json", "--disk-time", "100ms", "--max-conns", "100", "--http", anyPort, "--admin", anyPort, "--peer", anyPort}, args...)
	cmd := exec.Command(program(t), all...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	var report doctor.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s%s", err, &out, &errs)
	}
	if report.Healthy != (code == 0) || !report.Healthy && code != 4 {
		t.Errorf("healthy: %t, exit code %d", report.Healthy, code)
	}
	found = map[string]doctor.Check{}
	for _, c := range report.Checks {
		found[c.Name] = c
	}
	return code, found
}

func expect(t *testing.T, got doctor.Check, status doctor.Status, measured, fix string) {
	t.Helper()
	if got.Status != status || !strings.Contains(got.Measured, measured) || !strings.Contains(got.Fix, fix) {
		t.Errorf("%+v, not %s %q %q", got, status, measured, fix)
	}
}

// mounted mounts a file system in memory until the test ends.
func mounted(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skipf("skipped: a file system is mounted by root only: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestDoctorOnASmallDisk(t *testing.T) {
	dir := mounted(t, "size=16m,nr_inodes=50")
	_, found := examined(t, "--data-dir", filepath.Join(dir, "data"))
	expect(t, found["file system"], doctor.Fail, "tmpfs", "--data-dir")
	expect(t, found["free space"], doctor.Fail, "16 MiB free", "--wal-segment-bytes 2097152")
	expect(t, found["inodes"], doctor.Fail, "4", "")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	// The suggested length does start a node there.
	stop(t, launch(t, filepath.Join(dir, "data"), "--wal-segment-bytes", "2097152"))
}

func TestDoctorOnAFullDisk(t *testing.T) {
	dir := mounted(t, "size=1m")
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	_, found := examined(t, "--data-dir", filepath.Join(dir, "data"))
	expect(t, found["data directory"], doctor.Fail, "is full", "free some space")
}

func TestDoctorOnAReadOnlyDirectory(t *testing.T) {
	dir := mounted(t, "size=16m")
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "data")} {
		_, found := examined(t, "--data-dir", path)
		expect(t, found["data directory"], doctor.Fail, "read-only", "sudo mount -o remount,rw "+dir)
	}
}

// An expired certificate is named with its day, although nothing else of it is wrong.
func TestDoctorOnAnExpiredCertificate(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		until    time.Duration
		ip       net.IP
		status   doctor.Status
		measured string
	}{
		{-time.Hour, net.IPv4(127, 0, 0, 1), doctor.Fail, "ended on"}, {time.Hour, net.IPv4(127, 0, 0, 1), doctor.Warn, "in 0 days"},
		{1000 * time.Hour, net.IPv4(127, 0, 0, 1), doctor.Pass, "for 127.0.0.1 until"}, {1000 * time.Hour, net.IPv4(10, 0, 0, 1), doctor.Warn, "is for 10.0.0.1"},
	} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), IPAddresses: []net.IP{row.ip}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(row.until)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		_, found := examined(t, "--data-dir", filepath.Join(dir, "data"), "--tls-cert", cert, "--tls-key", keyFile)
		expect(t, found["certificate"], row.status, row.measured, "")
		expect(t, found["settings"], doctor.Pass, "", "")
	}
	_, found := examined(t, "--data-dir", filepath.Join(dir, "data"), "--tls-cert", keyFile, "--tls-key", keyFile)
	expect(t, found["certificate"], doctor.Fail, "", "openssl x509")
}

// A database that is there is looked at and left alone; one that is not is named without its password.
func TestDoctorOnPostgres(t *testing.T) {
	server := pgtest.Start(t)
	dir := filepath.Join(t.TempDir(), "data")
	_, found := examined(t, "--data-dir", dir, "--sink", server.URL("postgres"))
	expect(t, found["sink"], doctor.Pass, "tables to be made", "")
	if rows := pgtest.Rows(t, server.URL("postgres"), "select 1 from pg_tables where schemaname = 'public'"); len(rows) > 0 {
		t.Errorf("it made %d tables", len(rows))
	}
	stop(t, launch(t, dir, "--sink", server.URL("postgres")))
	_, found = examined(t, "--data-dir", dir, "--sink", server.URL("postgres"))
	expect(t, found["sink"], doctor.Pass, "tables of version 1", "")
	_, found = examined(t, "--data-dir", dir+"2", "--sink", server.URL("postgres"))
	expect(t, found["sink"], doctor.Fail, "was written by cluster", "--adopt-sink")
	code, found := examined(t, "--data-dir", dir, "--sink", "postgres://seller:s3cret@127.0.0.1:1/shop")
	expect(t, found["sink"], doctor.Fail, "", "psql 'postgres://seller:xxxxx@127.0.0.1:1/shop'")
	if c := found["sink"]; code != 4 || strings.Contains(c.Measured+c.Fix, "s3cret") {
		t.Errorf("exit code %d: %+v", code, c)
	}
}

// Ctrl-C in the middle of the measurement leaves nothing behind.
func TestDoctorInterrupted(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(program(t), "doctor", "--data-dir", filepath.Join(dir, "data"), "--disk-time", "1m", "--http", anyPort, "--admin", anyPort,
		"--peer", anyPort, "--sink", "postgres://user@192.0.2.1:1/shop") // an address that does not answer
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "it holds a file without a name in the directory", func() bool { return holdsFileIn(cmd.Process.Pid, dir) })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("%v: %s", err, &errs)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func holdsFileIn(pid int, dir string) bool {
	files, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fd", "*"))
	if err != nil {
		return false
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && strings.HasPrefix(target, dir+"/") {
			return true
		}
	}
	return false
}

// await polls until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.After(20 * time.Second); !so(); {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// The database of a node that serves is looked at beside it, and the node goes on with it.
func TestDoctorBesideANodeOnSQLite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	n := launch(t, dir)
	_, found := examined(t, "--data-dir", dir)
	expect(t, found["sink"], doctor.Pass, "sqlite, tables of version 2", "")
	stop(t, n)
	_, found = examined(t, "--data-dir", dir)
	expect(t, found["sink"], doctor.Pass, "sqlite, tables of version 2", "")
}
